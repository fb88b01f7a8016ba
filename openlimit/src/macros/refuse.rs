//! Returns a refused call's error from the function under `#[rate_limited]`.

use crate::{AcquireError, FromAcquireError};

/// Converts the error to the return type.
pub fn refuse<R: FromAcquireError>(error: AcquireError) -> R {
    R::from_acquire_error(error)
}

/// Converts the error with the closure of `on_error`. The caller names `R`, so that the closure's
/// type is known.
pub fn on_error<R>(error: AcquireError, on_error: impl FnOnce(AcquireError) -> R) -> R {
    on_error(error)
}
