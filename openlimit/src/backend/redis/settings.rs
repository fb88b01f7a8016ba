//! `Settings`: a checked `Redis` as the driver needs it. Servers, keys, and the texts of errors.
//! All but the keys is common to the limiters of a `Keyed`.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::ops::Deref;
use std::sync::Arc;

use super::Redis;
use super::access::Access;
use super::key::Keys;
use super::terms::Terms;
use super::trip::UsualTrip;
use crate::error::{StoreError, StoreProblem};
use crate::time::nanos;

/// Everything that the driver needs to reach the buckets of one limiter.
pub(crate) struct Settings {
    common: Arc<Common>,
    pub(super) keys: Keys,
}

/// The settings that do not depend on the name of the limiter.
pub(crate) struct Common {
    /// The nodes that the user gave. There is at least one.
    pub(super) nodes: Vec<Access>,
    /// Whether each limit resets, in the order of the script. Shares of lower priorities come last.
    pub(super) reset: Box<[bool]>,
    /// The number of shares.
    pub(super) shares: usize,
    /// The server, as errors name it.
    pub(super) server: Arc<str>,
    pub(super) usual_trip: UsualTrip,
    /// The passwords, which no error may show.
    secrets: Vec<String>,
}

/// For how many seconds the server keeps the last reply to a client, and the state at least.
///
/// A batch that is sent again within that time is not decided twice. Ten minutes are longer than
/// nearly every outage. After a longer one, what may have been decided is not sent again.
pub(super) const KEPT: u64 = 600;

/// The most characters of a foreign text in an error: enough for every message of Redis.
const LONGEST_TEXT: usize = 300;

impl Settings {
    pub(super) fn new(common: Arc<Common>, keys: Keys) -> Self {
        Self { common, keys }
    }
}

impl Deref for Settings {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

impl Common {
    /// Creates the settings of limiters with limits, each of which resets or not. The last of them
    /// are `shares`.
    ///
    /// # Errors
    /// Returns the problem if the servers cannot be used.
    pub(super) fn new(redis: &Redis, reset: Box<[bool]>, shares: usize) -> Result<Self, Cow<'static, str>> {
        let nodes = Access::all(redis)?;
        let server = nodes.iter().map(|node| node.info().addr().to_string()).collect::<Vec<_>>().join(", ");
        let secrets = nodes.iter().filter_map(|node| node.info().redis_settings().password());
        let mut secrets: Vec<_> = secrets.filter(|secret| !secret.is_empty()).map(str::to_owned).collect();
        // Longest first, since one secret may be the beginning of another.
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        let usual_trip = UsualTrip::default();
        Ok(Self { nodes, reset, shares, server: server.into(), usual_trip, secrets })
    }

    /// Creates the error of a problem with this server.
    pub(super) fn error(&self, problem: StoreProblem) -> StoreError {
        StoreError::new(&self.server, problem)
    }

    /// Returns foreign text as an error may show it: short and without secrets. Characters that are
    /// not printed, or that reorder others, are escaped.
    pub(super) fn cleaned(&self, text: &str) -> String {
        let text = self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
        let mut cleaned = String::new();
        for char in text.trim().chars().take(LONGEST_TEXT) {
            match char {
                // These are no danger, and messages have many of them.
                '\'' | '"' | '\\' => cleaned.push(char),
                _ => cleaned.extend(char.escape_debug()),
            }
        }
        cleaned
    }
}

impl Redis {
    /// Returns the settings that the slots need. `jitter` is what all limits keep back, in
    /// nanoseconds.
    pub(crate) fn terms(&self, jitter: u64) -> Terms {
        let nanos = |time| nanos(time).min(super::scale::MOST);
        Terms {
            jitter,
            look_ahead: nanos(self.look_ahead),
            lease: self.lease.map(nanos),
            patience: nanos(self.patience),
            on_outage: self.on_outage,
        }
    }
}
