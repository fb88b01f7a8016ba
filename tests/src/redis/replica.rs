//! A primary and its replica.
//!
//! Redis replicates after it has answered: a replica that lags and is promoted has lost what was granted last.

use std::thread;
use std::time::{Duration, Instant};

use super::proxy::Proxy;
use super::server::RedisServer;

/// A first copy takes about a second: the replica looks for its primary once a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that copies another one, over a proxy.
#[derive(Debug)]
pub struct Replica {
    server: RedisServer,
    link: Proxy,
}

impl Replica {
    /// Starts a replica and waits until it has a copy.
    ///
    /// # Panics
    /// If it does not get one.
    #[must_use]
    pub fn of(primary: &RedisServer) -> Self {
        let link = Proxy::to(primary.address());
        let server = RedisServer::builder()
            .config(&format!("replicaof 127.0.0.1 {}", link.address().port()))
            // Otherwise it would, while the link is down, copy again all of its primary.
            .config("repl-timeout 60")
            .start();
        let replica = Self { server, link };
        replica.wait_until("the replica to be linked", || {
            replica.server.info("replication").get("master_link_status").is_some_and(|status| status == "up")
        });
        replica.wait_until_in_sync(primary);
        replica
    }

    /// The server. As long as it is a replica it refuses writes.
    #[must_use]
    pub fn server(&self) -> &RedisServer {
        &self.server
    }

    /// From now on the replica learns of nothing, as if the network had failed; its data stay what they are.
    pub fn lag(&self) {
        self.link.freeze();
    }

    /// The replica learns of what it missed, and of what comes.
    pub fn catch_up(&self) {
        self.link.resume();
    }

    /// From now on everything reaches the replica so much later.
    pub fn delay(&self, delay: Duration) {
        self.link.delay(delay);
    }

    /// Waits until it has all that its primary has now.
    ///
    /// # Panics
    /// If that does not happen, since it lags.
    pub fn wait_until_in_sync(&self, primary: &RedisServer) {
        let offset = |server: &RedisServer, name: &str| server.info("replication")[name].parse::<u64>().ok();
        let goal = offset(primary, "master_repl_offset");
        self.wait_until("the replica to be in sync", || offset(&self.server, "slave_repl_offset") >= goal);
    }

    /// Makes it a primary, with the data that it has.
    pub fn promote(&self) {
        self.server.cli::<()>("REPLICAOF NO ONE");
    }

    fn wait_until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < deadline, "waited in vain for {what}:\n{}", self.server.log());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl RedisServer {
    /// Makes it refuse writes, as a replica does whose primary is gone. [`promote`](Self::promote) ends it.
    pub fn make_read_only(&self) {
        // Nobody listens at this port.
        self.cli::<()>("REPLICAOF 127.0.0.1 1");
    }

    /// Makes it a primary, with the data that it has.
    pub fn promote(&self) {
        self.cli::<()>("REPLICAOF NO ONE");
    }
}
