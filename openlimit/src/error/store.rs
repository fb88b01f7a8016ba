//! `StoreError`: the reason why the store of shared limits did not decide about a call.
//!
//! During an outage, the same error refuses every waiting call and is also part of `Status`. So it
//! is apart from `AcquireError`, and a copy is only a reference.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::duration::{in_words, short};

/// The error of a store of shared limits (Redis) that did not decide about a call.
///
/// It names the server and never shows a password.
#[derive(Clone, Debug)]
pub struct StoreError(Arc<Details>);

#[derive(Debug)]
struct Details {
    server: Arc<str>,
    problem: StoreProblem,
}

/// The problem with a store.
///
/// Its message continues "redis at `server` ..".
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreProblem {
    /// The server cannot be reached, or the connection broke.
    #[error(
        "cannot be reached: {0}; check that it runs there, and the URL: `rediss://` if it speaks TLS, else `redis://`"
    )]
    Unreachable(String),

    /// The server did not reply in time: within `Redis::timeout`, or within the timeout of the
    /// call.
    #[error("did not reply within {}; check that it runs and is not overloaded, or allow more time", short(*.0))]
    TimedOut(Duration),

    /// The server replied that it cannot serve now: it is loading, failing over, a replica, or out
    /// of memory.
    #[error("cannot serve now: {0}")]
    Unavailable(String),

    /// The server rejects the login, or does not permit the user to run scripts or to use the keys.
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

    /// A key of the limiter holds a value that this version of openlimit did not write: that of its
    /// buckets, or that of the last reply to this process.
    #[error(
        "holds {found} under the key `{key}`; give the limiter another name or prefix, or delete the key"
    )]
    OtherLayout {
        /// The key.
        key: String,
        /// The value found there.
        found: String,
    },

    /// The server lacks something that the limiter needs, or its reply cannot be right: it is too
    /// long, or a wait in it is longer than the limits can ask for.
    #[error("cannot decide: {0}; check the URL, and that it is a Redis of version 6 or later")]
    Unsuited(String),

    /// The driver thread of this process is not running: it could not be started, was not inherited
    /// by a forked process, or panicked. A panic is a bug, and the driver restarts soon after it.
    #[error("cannot be queried: the driver thread is not running: {0}")]
    Driver(String),
}

/// The state of a shared limiter's connection to its store, in [`Status`](crate::Status).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreStatus {
    /// The last error of the current outage; `None` while the store replies.
    pub error: Option<StoreError>,
    /// The number of outages since the limiter was built, including the current one.
    pub outages: u64,
    /// The number of [updates](crate::Limiter::update) that led to the limits that this process
    /// has, by any process. All processes of a limiter take the newest limits over.
    pub updates: u64,
}

#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "memory needs no store"))]
impl StoreError {
    pub(crate) fn new(server: &Arc<str>, problem: StoreProblem) -> Self {
        Self(Arc::new(Details { server: Arc::clone(server), problem }))
    }

    /// Returns the server: `host:port`, the path of a socket, or the given nodes of a cluster.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.0.server
    }

    /// Returns the problem.
    #[must_use]
    pub fn problem(&self) -> &StoreProblem {
        &self.0.problem
    }

    /// Returns true if the problem may pass by itself, and false if it has to be fixed.
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
