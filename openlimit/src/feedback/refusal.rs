//! `Refusal`: everything by which a client says that a call was refused.
//!
//! Some clients return the response, others an error that has lost most of it. One trait takes them
//! all, so that callers need not know which of it is left. Its parameter only keeps the
//! implementations apart, and is always inferred.

use std::borrow::Cow;

use super::observation::Observation;

/// What a client returns for a refused call, for [`Permit::refused`](crate::Permit::refused).
///
/// It is one of
///
/// - an [`Observation`], or a reference to one,
/// - a status, headers and a body: `(u16, headers, body)`,
/// - an `&http::Response` with a body of bytes (feature `http`),
/// - a reference to any error: see [`Observation::from_error`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say why a call was refused",
    label = "neither an observation, nor the parts of a response, nor a reference to an error",
    note = "give an `Observation`, `(status, headers, body)`, or a reference to something that implements \
            `std::error::Error`; of an `anyhow::Error`, give `error.as_ref()`"
)]
pub trait Refusal<Form> {
    /// Returns what it says.
    #[doc(hidden)]
    fn observation(&self) -> Cow<'_, Observation>;
}

/// The form of an observation.
#[derive(Debug)]
pub enum Observed {}

/// The form of the parts of a response.
#[derive(Debug)]
pub enum Parts {}

impl Refusal<Observed> for &Observation {
    fn observation(&self) -> Cow<'_, Observation> {
        Cow::Borrowed(self)
    }
}

impl Refusal<Observed> for Observation {
    fn observation(&self) -> Cow<'_, Observation> {
        Cow::Borrowed(self)
    }
}

impl<H, N, V, B> Refusal<Parts> for (u16, H, B)
where
    H: IntoIterator<Item = (N, V)> + Clone,
    N: AsRef<[u8]>,
    V: AsRef<[u8]>,
    B: AsRef<[u8]>,
{
    fn observation(&self) -> Cow<'_, Observation> {
        let (status, headers, body) = self;
        Cow::Owned(Observation::from_parts(*status, headers.clone(), body.as_ref()))
    }
}
