//! What `#[rate_limited]` returns for a refused call.

use crate::{AcquireError, FromAcquireError};

/// The return value for a refused call.
pub fn refuse<R: FromAcquireError>(error: AcquireError) -> R {
    R::from_acquire_error(error)
}

/// The return value for a refused call, by `on_error`.
pub fn on_error<R>(error: AcquireError, on_error: impl FnOnce(AcquireError) -> R) -> R {
    on_error(error)
}
