//! Without the feature `testing`, no limiter is replaced. See `overrides.rs`.

use super::core::Handle;
use crate::error::BuildError;

/// Returns `None`.
#[inline(always)]
pub(super) fn substitute(_: impl FnOnce() -> usize) -> Option<Result<&'static Handle, &'static BuildError>> {
    None
}
