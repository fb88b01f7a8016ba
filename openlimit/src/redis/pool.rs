//! The pool: which limiters share a connection. All of a process do that name the same server in the same way, so a service with
//! a limiter for each of its customers holds one connection and not a thousand.
//!
//! It is opened when somebody first needs it, and those who come meanwhile wait for the same attempt. Whoever finds it no good any
//! more has the next one opened, once for all; until that is there, those who have no complaint go on with it. What is under way on
//! the old one ends there. It is closed when nobody is left on it, as is the last one when the last limiter is gone.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ::redis::RedisResult;
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until};

use super::access::Access;
use super::connection::Connection;

/// A server, as some limiters reach it.
pub(super) struct Server {
    access: Access,
    state: Mutex<State>,
}

struct State {
    /// The last connection that was opened, with the number of the attempt.
    open: Option<(u64, Connection)>,
    next: Arc<Attempt>,
}

/// To open a connection. It is made by whoever comes first.
struct Attempt {
    number: u64,
    /// Not before.
    at: Instant,
    opened: OnceCell<RedisResult<Connection>>,
}

/// Between attempts, so that a thousand limiters do not knock a thousand times at a server that is away.
const PAUSE: Duration = Duration::from_millis(10);

impl Server {
    pub(super) fn of(access: &Access) -> Arc<Self> {
        static SERVERS: Mutex<Vec<Weak<Server>>> = Mutex::new(Vec::new());
        let mut servers = SERVERS.lock();
        servers.retain(|server| server.strong_count() > 0);
        let known = servers.iter().filter_map(Weak::upgrade).find(|server| server.access == *access);
        known.unwrap_or_else(|| {
            let state = Mutex::new(State { open: None, next: Attempt::new(1, Instant::now()) });
            let server = Arc::new(Self { access: access.clone(), state });
            servers.push(Arc::downgrade(&server));
            server
        })
    }

    /// A connection, and its number, which is later than `after`: those until then are no good.
    pub(super) async fn connection(&self, after: u64) -> RedisResult<(u64, Connection)> {
        let next = {
            let state = self.state.lock();
            match &state.open {
                Some((number, open)) if *number > after => return Ok((*number, open.clone())),
                _ => Arc::clone(&state.next),
            }
        };
        let opened = next.opened.get_or_init(|| self.open(next.at)).await;
        let mut state = self.state.lock();
        // The first to hear of it.
        if Arc::ptr_eq(&state.next, &next) {
            state.next = Attempt::new(next.number + 1, Instant::now() + PAUSE);
            if let Ok(open) = opened {
                state.open = Some((next.number, open.clone()));
            }
        }
        opened.clone().map(|open| (next.number, open))
    }

    async fn open(&self, at: Instant) -> RedisResult<Connection> {
        sleep_until(at).await;
        Connection::open(&self.access).await
    }
}

impl Attempt {
    fn new(number: u64, at: Instant) -> Arc<Self> {
        Arc::new(Self { number, at, opened: OnceCell::new() })
    }
}
