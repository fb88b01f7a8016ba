//! The pool: which limiters share a connection. All of a process do that reach a server in the same way, so a service with a
//! limiter for each of its customers holds one connection and not a thousand.
//!
//! It is opened when somebody first needs it, and those who come meanwhile wait for the same attempt. It is replaced when one of
//! them finds it no good any more: once, by whoever comes next, since those who find out later speak of one that is gone. What is
//! under way on the old one ends there. It is closed when nobody is left on it, and the last one with the last limiter.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ::redis::{Cmd, RedisError, RedisResult};
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until};

use super::access::Access;
use super::connection::Connection;
use super::problem::is_over;

/// A server, as some limiters reach it.
pub(super) struct Server {
    access: Access,
    attempt: Mutex<Arc<Attempt>>,
}

/// To open a connection, and what came of it.
struct Attempt {
    /// Not before.
    at: Instant,
    opened: OnceCell<RedisResult<Connection>>,
}

pub(super) struct Failure {
    pub(super) error: RedisError,
    /// Whether there was a connection, or it was to be opened.
    pub(super) was_open: bool,
}

/// Between attempts, so that a thousand limiters do not knock a thousand times at a server that is away.
const PAUSE: Duration = Duration::from_millis(20);

impl Server {
    pub(super) fn of(access: &Access) -> Arc<Self> {
        static SERVERS: Mutex<Vec<Weak<Server>>> = Mutex::new(Vec::new());
        let mut servers = SERVERS.lock();
        servers.retain(|server| server.strong_count() > 0);
        let known = servers.iter().filter_map(Weak::upgrade).find(|server| server.access == *access);
        known.unwrap_or_else(|| {
            let server =
                Self { access: access.clone(), attempt: Mutex::new(Attempt::not_before(Instant::now())) };
            let server = Arc::new(server);
            servers.push(Arc::downgrade(&server));
            server
        })
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Has it run a command; where `asking`, one on keys that are on their way to it.
    pub(super) async fn run(&self, command: &Cmd, asking: bool) -> Result<Vec<u8>, Failure> {
        let attempt = Arc::clone(&self.attempt.lock());
        let (said, was_open) = match attempt.opened.get_or_init(|| self.open(attempt.at)).await.clone() {
            Ok(mut connection) if asking => (connection.run_asking(command).await, true),
            Ok(mut connection) => (connection.run(command).await, true),
            Err(error) => (Err(error), false),
        };
        said.map_err(|error| {
            if !was_open || is_over(&error, self.access.cluster) {
                self.replace(&attempt);
            }
            Failure { error, was_open }
        })
    }

    async fn open(&self, at: Instant) -> RedisResult<Connection> {
        sleep_until(at).await;
        Connection::open(&self.access).await
    }

    /// Has another attempt made, unless it was already.
    fn replace(&self, failed: &Arc<Attempt>) {
        let mut attempt = self.attempt.lock();
        if Arc::ptr_eq(&attempt, failed) {
            *attempt = Attempt::not_before(failed.at + PAUSE);
        }
    }
}

impl Attempt {
    fn not_before(at: Instant) -> Arc<Self> {
        Arc::new(Self { at, opened: OnceCell::new() })
    }
}
