//! `StoreError`: why Redis did not decide.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why the limiter's Redis did not decide. It names the server, and never a password.
#[derive(Clone, Debug)]
pub struct StoreError(Arc<Told>);

#[derive(Debug)]
struct Told {
    server: Arc<str>,
    problem: StoreProblem,
}

/// What was wrong.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreProblem {
    /// It cannot be reached, or the connection broke.
    #[error(
        "cannot be reached: {0}; check that it runs there, and the URL: `rediss://` if it speaks TLS, else `redis://`"
    )]
    Unreachable(String),

    /// It did not answer in time. See [`Redis::timeout`](crate::Redis::timeout).
    #[error("did not answer within {0:?}; check that it runs and keeps up, or allow it more time")]
    TimedOut(Duration),

    /// It answered that it cannot serve for now: it loads, fails over, is a replica, or has no memory left.
    #[error("cannot serve for now: {0}")]
    Unavailable(String),

    /// It does not let this client in, or does not let it do what it has to: run scripts, read and set its keys.
    #[error("refuses the client: {0}; check the user, the password and the permissions")]
    Refused(String),

    /// It and this client do not agree on how to trust each other over TLS.
    #[error(
        "is not trusted: {0}; check that its certificate is for this host, and by an authority of the system's or of \
         `Redis::root_certificates`"
    )]
    Certificate(String),

    /// The limiter's name is in use by a limiter of other limits.
    #[error(
        "has other limits under this name: {theirs}, here {ours}; give one of them another name, or wait until \
         nobody uses the other"
    )]
    OtherLimits {
        /// The limits that stand under the name.
        theirs: String,
        /// The limits of this limiter.
        ours: String,
    },

    /// The limiter's key holds what this version of openlimit did not write.
    #[error(
        "holds under the key `{key}` {found}; give the limiter another name or prefix, or delete the key"
    )]
    OtherLayout {
        /// The key.
        key: String,
        /// What is there instead.
        found: String,
    },

    /// It cannot do what the limiter needs.
    #[error("cannot decide: {0}; check the URL, and that it is a Redis of version 6 or later")]
    Unsuited(String),

    /// The thread that talks to it could not be started, did not come along when the process was forked, or panicked, which is
    /// a bug: it goes on soon after.
    #[error("cannot be asked, for want of the thread that asks: {0}")]
    Driver(String),
}

impl StoreError {
    pub(crate) fn new(server: &Arc<str>, problem: StoreProblem) -> Self {
        Self(Arc::new(Told { server: Arc::clone(server), problem }))
    }

    /// The server: `host:port` or a path; for a cluster, the nodes that were given.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.0.server
    }

    /// What was wrong.
    #[must_use]
    pub fn problem(&self) -> &StoreProblem {
        &self.0.problem
    }

    /// Whether it may pass by itself. The others need somebody to mend them.
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
