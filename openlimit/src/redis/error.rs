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
        "has other limits under this name: {theirs}, here {ours}; give one of them another name, or delete the key \
         `{key}`, or wait: the name is free in {}, if nobody uses it until then",
        in_words(*free_in)
    )]
    OtherLimits {
        /// The limits that stand under the name.
        theirs: String,
        /// The limits of this limiter.
        ours: String,
        /// How long until this limiter may have the name, if nobody uses it until then.
        free_in: Duration,
        /// The key that holds it. Without it, the name is free at once.
        key: String,
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

/// A time in its two largest units, rounded up: `5h 3m`.
fn in_words(time: Duration) -> String {
    const UNITS: [(u128, char); 4] = [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')];
    let secs = time.as_nanos().div_ceil(1_000_000_000);
    let largest = UNITS.iter().position(|(unit, _)| secs >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[largest];
    let Some((part, name_of_part)) = UNITS.get(largest + 1) else { return format!("{secs}{name}") };
    let (parts, of) = (secs.div_ceil(*part), unit / part);
    match parts % of {
        0 => format!("{}{name}", parts / of),
        rest => format!("{}{name} {rest}{name_of_part}", parts / of),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::in_words;

    #[test]
    fn a_time_is_told_in_its_two_largest_units_rounded_up() {
        for (secs, words) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m 1s"),
            (3_599, "59m 59s"),
            (3_600, "1h"),
            (3_601, "1h 1m"),
            (5 * 3_600 + 3 * 60, "5h 3m"),
            (86_399, "24h"),
            (86_401, "1d 1h"),
            (52 * 86_400, "52d"),
        ] {
            assert_eq!(in_words(Duration::from_secs(secs)), words);
        }
        assert_eq!(in_words(Duration::from_nanos(1)), "1s");
        assert_eq!(in_words(Duration::from_micros(59_000_001)), "1m");
        assert_eq!(in_words(Duration::MAX), "213503982334601d 8h");
    }
}
