//! The error of a client, and what it says when the provider refuses a call.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use openlimit::AcquireError;

/// The message of a refusal.
pub(crate) const REFUSED: &str = "429 Too Many Requests: Rate limit reached. Please try again in 20s.";

/// The hold that it asks for.
pub(crate) const HELD: Option<Duration> = Some(Duration::from_secs(20));

/// The error of a client.
#[derive(Debug)]
pub(crate) struct ClientError(pub(crate) &'static str);

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for ClientError {}

impl From<AcquireError> for ClientError {
    fn from(_: AcquireError) -> Self {
        Self("not admitted")
    }
}
