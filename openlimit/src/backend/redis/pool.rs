//! The pool: shares connections between the limiters of a process.
//!
//! All limiters that reach a server in the same way share one connection. So a service with a
//! limiter for each of its customers holds one connection and not a thousand.
//!
//! The first command opens the connection, and commands that come meanwhile wait for that attempt.
//! When a command finds that the connection has failed, the next command opens another. Commands
//! that notice the same failure later do not replace it again. Commands in flight on the old
//! connection end there. A connection closes when the last limiter that uses it is dropped.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ::redis::{Cmd, RedisResult};
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until};

use super::access::Access;
use super::announced::{Listener, Listeners};
use super::connection::Connection;
use super::failure::Failure;
use super::problem::needs_new_connection;

/// A server, as a group of limiters reaches it.
pub(super) struct Server {
    access: Access,
    listeners: Arc<Listeners>,
    attempt: Mutex<Arc<Attempt>>,
}

/// An attempt to open a connection, and its result.
struct Attempt {
    /// When to begin at the earliest.
    at: Instant,
    opened: OnceCell<RedisResult<Connection>>,
}

/// The least time between two attempts, so that a thousand limiters do not reconnect a thousand
/// times to a server that is away. Short enough that a call barely notices.
const PAUSE: Duration = Duration::from_millis(20);

impl Server {
    /// Returns the server that this access leads to: the same one for all limiters with equal
    /// access.
    pub(super) fn of(access: &Access) -> Arc<Self> {
        static SERVERS: Mutex<Vec<Weak<Server>>> = Mutex::new(Vec::new());
        let mut servers = SERVERS.lock();
        servers.retain(|server| server.strong_count() > 0);
        let known = servers.iter().filter_map(Weak::upgrade).find(|server| server.access == *access);
        known.unwrap_or_else(|| {
            let server = Arc::new(Self {
                access: access.clone(),
                listeners: Arc::default(),
                attempt: Mutex::new(Attempt::not_before(Instant::now())),
            });
            servers.push(Arc::downgrade(&server));
            server
        })
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Lets a limiter hear what the server announces. Does nothing if it does so already.
    pub(super) fn listen(&self, listener: &Arc<Listener>) {
        self.listeners.add(listener);
    }

    /// Opens the connection, unless it is open or an attempt to open it has just failed.
    pub(super) async fn connect(&self) {
        let attempt = Arc::clone(&self.attempt.lock());
        self.opened(&attempt).await;
    }

    /// Runs a command. If `asking`, its keys are just being moved to this server.
    pub(super) async fn run(&self, command: &Cmd, asking: bool) -> Result<Vec<u8>, Failure> {
        let attempt = Arc::clone(&self.attempt.lock());
        let (reply, was_open) = match self.opened(&attempt).await.clone() {
            Ok(mut connection) if asking => (connection.run_asking(command).await, true),
            Ok(mut connection) => (connection.run(command).await, true),
            Err(error) => (Err(error), false),
        };
        reply.map_err(|error| {
            if !was_open || needs_new_connection(&error, self.access.cluster) {
                self.replace(&attempt);
            }
            Failure { error, was_open }
        })
    }

    /// Returns the result of an attempt, which this makes unless it was made.
    async fn opened<'a>(&self, attempt: &'a Attempt) -> &'a RedisResult<Connection> {
        let open = async || {
            sleep_until(attempt.at).await;
            Connection::open(&self.access, &self.listeners).await
        };
        attempt.opened.get_or_init(open).await
    }

    /// Replaces a failed attempt, unless another command has done that already.
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
