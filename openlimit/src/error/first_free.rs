//! `FirstFreeError`: the reasons why no one of several calls was admitted.

use std::fmt;
use std::time::Duration;

use super::AcquireError;

/// The error of [`first_free`](crate::first_free): every call failed, or there was none.
#[derive(Clone, Debug)]
pub struct FirstFreeError {
    errors: Vec<AcquireError>,
}

impl FirstFreeError {
    pub(crate) fn new(errors: Vec<AcquireError>) -> Self {
        Self { errors }
    }

    /// Returns the error of each call, in the order of the calls. Empty if there was no call.
    #[must_use]
    pub fn errors(&self) -> &[AcquireError] {
        &self.errors
    }

    /// Returns the least that [`AcquireError::retry_after`] returns for one of the calls: how long
    /// to wait, from the refusal of that call on, before it may succeed. `None` if it is known of
    /// no call.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.errors.iter().filter_map(AcquireError::retry_after).min()
    }
}

impl fmt::Display for FirstFreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.as_slice() {
            [] => write!(f, "`first_free` was given no calls; give it at least one"),
            [error] => write!(f, "{error}"),
            errors => {
                write!(f, "none of {} calls can be admitted", errors.len())?;
                errors.iter().enumerate().try_for_each(|(index, error)| write!(f, "; {index}: {error}"))
            }
        }
    }
}

impl std::error::Error for FirstFreeError {}
