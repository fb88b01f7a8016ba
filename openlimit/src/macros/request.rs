//! The value of `params`: a request, and not the text of its prompt.
//!
//! Text is `Serialize` like any request, so it would compile, and fail at run time for want of a model. The check
//! is by type and costs nothing: it is the choice between two methods of one name.

use std::borrow::Cow;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

/// Takes the value of `params`. Its method `checked` is that of [`Request`] if the value is text, and that of
/// [`NotText`] otherwise. A type that is not known to be text, such as a generic one, is otherwise.
pub fn request<P: ?Sized>(params: &P) -> Request<'_, P> {
    Request(NotText(params))
}

/// See [`request`].
#[derive(Debug)]
pub struct Request<'a, P: ?Sized>(NotText<'a, P>);

impl<'a, P: Text + ?Sized> Request<'a, P> {
    /// Returns the request, which it cannot be.
    pub fn checked(self) -> &'a P
    where
        P: IsRequest,
    {
        self.0.0
    }
}

impl<'a, P: ?Sized> Deref for Request<'a, P> {
    type Target = NotText<'a, P>;

    fn deref(&self) -> &NotText<'a, P> {
        &self.0
    }
}

/// See [`request`].
#[derive(Debug)]
pub struct NotText<'a, P: ?Sized>(&'a P);

impl<'a, P: ?Sized> NotText<'a, P> {
    /// Returns the request.
    pub fn checked(&self) -> &'a P {
        self.0
    }
}

/// Text, which is no request.
pub trait Text {}

impl Text for str {}
impl Text for String {}
impl Text for Cow<'_, str> {}

macro_rules! of_text {
    ($($pointer:ty),+) => {$(
        impl<T: Text + ?Sized> Text for $pointer {}
    )+};
}

of_text!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);

// Many texts, as for embeddings.
impl<T: Text> Text for [T] {}
impl<T: Text> Text for Vec<T> {}
impl<T: Text, const N: usize> Text for [T; N] {}

/// Text that is a request: none is.
#[diagnostic::on_unimplemented(
    message = "`params` takes the request, not the text of its prompt",
    label = "this is text",
    note = "`params = request` is the value that is sent to the API, with its model and its messages",
    note = "or give the number of tokens: `cost = 900`"
)]
pub trait IsRequest {}
