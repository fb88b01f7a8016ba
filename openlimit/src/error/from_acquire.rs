//! `FromAcquireError`: how an annotated function returns that its call was refused.
//!
//! The return type is the user's, so a trait says which types have a place for the error, and a
//! compile error what to write for all others.

use super::AcquireError;

/// A return type that can carry a refusal.
///
/// When a call is refused, a function under `#[rate_limited]` converts the [`AcquireError`] into
/// its return type by this trait. It is implemented for every `Result<_, E>` with
/// `E: From<AcquireError>`, which includes `anyhow::Result` and boxed errors. Implement it for a
/// type of your own, such as an HTTP response.
///
/// `Option` and `()` do not implement it, since they would hide the refusal. To do that on purpose,
/// write `on_error = |_| None`.
#[diagnostic::on_unimplemented(
    message = "a refused call cannot be returned as `{Self}`",
    label = "this return type has no place for an `openlimit::AcquireError`",
    note = "return a `Result<_, E>` whose error implements `From<openlimit::AcquireError>`",
    note = "or say what to return instead: `on_error = |error| ..`"
)]
pub trait FromAcquireError {
    /// Converts the refusal into the function's return value.
    fn from_acquire_error(error: AcquireError) -> Self;
}

// Not recommended, so that rustc reports an error type without the `From` as above.
#[diagnostic::do_not_recommend]
impl<T, E: From<AcquireError>> FromAcquireError for Result<T, E> {
    fn from_acquire_error(error: AcquireError) -> Self {
        Err(E::from(error))
    }
}
