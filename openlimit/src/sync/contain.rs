//! `contain`: runs code of the program, which may panic.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs foreign code. Returns `None` if it panics.
///
/// The payload of a panic is foreign too, and dropping it may panic again. So it is leaked.
pub(crate) fn contain<T>(foreign: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(foreign)).map_err(mem::forget).ok()
}
