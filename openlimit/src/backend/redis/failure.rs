//! `Failure`: a command that a server did not run.

use ::redis::RedisError;

/// The failure of a command.
pub(super) struct Failure {
    pub(super) error: RedisError,
    /// True if the connection was open, false if it could not be opened.
    pub(super) was_open: bool,
}

/// What is known of a batch without a usable reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The server has not decided it.
    Undecided,
    /// The server may have decided it.
    Unknown,
    /// The server has decided it.
    Decided,
}

impl Failure {
    /// Returns what the failure says of the fate of its batch, of which so much was known `before`.
    pub(super) fn fate(&self, before: Fate) -> Fate {
        let (code, said) = (self.error.code(), self.error.detail().unwrap_or_default());
        match code {
            // The script looks for its reply to an earlier sending first, and then for the state.
            Some("OPENLIMIT") if !said.starts_with("reply") => Fate::Undecided,
            Some("WRONGTYPE") => Fate::Undecided,
            // It was not decided this time: the server replied with an error, or it was not sent.
            Some(_) => before,
            None if !self.was_open => before,
            None => Fate::Unknown,
        }
    }
}
