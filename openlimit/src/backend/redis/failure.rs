//! `Failure`: a command that a server did not run.

use ::redis::RedisError;

/// The failure of a command.
pub(super) struct Failure {
    pub(super) error: RedisError,
    /// True if the connection was open, false if it could not be opened.
    pub(super) was_open: bool,
}
