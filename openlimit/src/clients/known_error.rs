//! `KnownError`: how the errors of one client are read. Each client's file has one.

use std::error::Error;

use crate::feedback::Observation;

/// An error of any type.
pub(super) type AnyError = dyn Error + 'static;

/// How the errors of one client are read.
pub(super) struct KnownError {
    /// Returns the error that this one hides, because its `source` passes over it.
    pub(super) inner: fn(&AnyError) -> Option<&AnyError>,
    /// Reads an error of this client; `None` if it is of another type, or if only its source is
    /// worth reading.
    pub(super) read: fn(&AnyError) -> Option<Observation>,
}
