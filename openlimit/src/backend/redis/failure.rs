//! `Failure`: a command that a server did not run.

use ::redis::RedisError;

/// The failure of a command.
pub(super) struct Failure {
    pub(super) error: RedisError,
    /// True if the connection was open, false if it could not be opened.
    pub(super) was_open: bool,
}

impl Failure {
    /// Returns true if the server certainly did not run the command: it was not sent, or the server
    /// replied with an error.
    pub(super) fn is_undecided(&self) -> bool {
        !self.was_open || self.error.code().is_some()
    }
}
