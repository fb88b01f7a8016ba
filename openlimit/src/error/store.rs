//! `StoreError`: why the store that holds shared limits did not decide.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::duration::{in_words, short};

/// The reason why the store of shared limits (Redis) did not decide about a call.
///
/// It names the server, and never a password.
#[derive(Clone, Debug)]
pub struct StoreError(Arc<Failed>);

#[derive(Debug)]
struct Failed {
    server: Arc<str>,
    problem: StoreProblem,
}

/// The problem with a store. The message continues "redis at `server` ..".
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreProblem {
    /// It cannot be reached, or the connection broke.
    #[error(
        "cannot be reached: {0}; check that it runs there, and the URL: `rediss://` if it speaks TLS, else `redis://`"
    )]
    Unreachable(String),

    /// It did not answer in time. `Redis::timeout` sets that time.
    #[error("did not answer within {}; check that it runs and keeps up, or allow it more time", short(*.0))]
    TimedOut(Duration),

    /// It answered that it cannot serve now: it is loading, failing over, a replica, or out of memory.
    #[error("cannot serve now: {0}")]
    Unavailable(String),

    /// It rejects this client's login, or does not permit it to run scripts or to use its keys.
    #[error("rejects the client: {0}; check the user, the password and the permissions")]
    Refused(String),

    /// The TLS handshake failed because one side does not trust the other.
    #[error(
        "is not trusted: {0}; check that its certificate is for this host, and signed by an authority of the system \
         or of `Redis::root_certificates`"
    )]
    Certificate(String),

    /// Another limiter with other limits uses the same name.
    #[error(
        "has other limits under this name: {theirs}; this limiter has {ours}; give one of them another name, delete \
         the key `{key}`, or wait: the name is free in {} if it is not used until then",
        in_words(*free_in)
    )]
    OtherLimits {
        /// The limits that the store has under the name.
        theirs: String,
        /// The limits of this limiter.
        ours: String,
        /// The time until this limiter may take the name, if it is not used until then.
        free_in: Duration,
        /// The key that holds the name. Deleting it frees the name at once.
        key: String,
    },

    /// The limiter's key holds a value that this version of openlimit did not write.
    #[error(
        "holds {found} under the key `{key}`; give the limiter another name or prefix, or delete the key"
    )]
    OtherLayout {
        /// The key.
        key: String,
        /// The value found there.
        found: String,
    },

    /// It lacks something that the limiter needs.
    #[error("cannot decide: {0}; check the URL, and that it is a Redis of version 6 or later")]
    Unsuited(String),

    /// The driver thread is not running: it could not be started, belongs to the process that this
    /// one was forked from, or panicked. A panic is a bug; the driver restarts soon after.
    #[error("cannot be queried: the driver thread is not running: {0}")]
    Driver(String),
}

/// The state of a shared limiter's connection to its store, in [`Status`](crate::Status).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreStatus {
    /// The error of the current outage; `None` while the store answers.
    pub error: Option<StoreError>,
    /// The number of outages since the limiter was built, the current one included.
    pub outages: u64,
}

#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "memory needs no store"))]
impl StoreError {
    pub(crate) fn new(server: &Arc<str>, problem: StoreProblem) -> Self {
        Self(Arc::new(Failed { server: Arc::clone(server), problem }))
    }

    /// Returns the server: `host:port` or a path; for a cluster, the nodes that were given.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.0.server
    }

    /// Returns the problem.
    #[must_use]
    pub fn problem(&self) -> &StoreProblem {
        &self.0.problem
    }

    /// Returns whether the problem may pass by itself. Other problems have to be fixed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use StoreProblem::{TimedOut, Unavailable, Unreachable};
        matches!(self.0.problem, Unreachable(_) | TimedOut(_) | Unavailable(_))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redis at {} {}", self.0.server, self.0.problem)
    }
}

impl std::error::Error for StoreError {}
