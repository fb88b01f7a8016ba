//! Rejects a value of the option `params` that is only the text of a prompt.
//!
//! Text implements `Serialize`, so it would compile, and fail at run time because it has no model.
//! The check is by type: text and other types find different methods of the same name. It costs
//! nothing at run time.

use std::borrow::Cow;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

/// Wraps the value of `params`, so that `.checked()` returns it if it is not text.
///
/// For text, `checked` is the method of [`Request`], which does not compile. For any other type,
/// and for generic types, it is the method of [`NotText`], which rustc finds through `Deref`.
pub fn request<P: ?Sized>(params: &P) -> Request<'_, P> {
    Request(NotText(params))
}

/// See [`request`].
#[derive(Debug)]
pub struct Request<'a, P: ?Sized>(NotText<'a, P>);

impl<'a, P: Text + ?Sized> Request<'a, P> {
    /// Does not compile, because no text satisfies the bound.
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

/// A type that is text.
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

// Several texts, as for embeddings.
impl<T: Text> Text for [T] {}
impl<T: Text> Text for Vec<T> {}
impl<T: Text, const N: usize> Text for [T; N] {}

/// Satisfied by no type.
#[diagnostic::on_unimplemented(
    message = "`params` takes the request, not the text of its prompt",
    label = "this is text",
    note = "`params = request` is the value that is sent to the API, with its model and its messages",
    note = "or give the number of tokens: `cost = 900`"
)]
pub trait IsRequest {}
