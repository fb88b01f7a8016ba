//! A primary and its replica.
//!
//! Redis replicates after it has replied. A replica that lags and is promoted has lost the last
//! grants.

use std::thread;
use std::time::{Duration, Instant};

use super::proxy::Proxy;
use super::server::RedisServer;

/// The first copy takes about a second: a replica looks for its primary once a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that replicates another one, through a proxy.
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
            // Otherwise, it copies everything again when the link comes back.
            .config("repl-timeout 60")
            .start();
        let replica = Self { server, link };
        replica.wait_until("the replica to be linked", || {
            replica.server.info("replication").get("master_link_status").is_some_and(|status| status == "up")
        });
        replica.wait_until_in_sync(primary);
        replica
    }

    /// Returns the server. While it is a replica, it refuses writes.
    #[must_use]
    pub fn server(&self) -> &RedisServer {
        &self.server
    }

    /// Stops replication, like a network failure. The data stay as they are.
    pub fn lag(&self) {
        self.link.freeze();
    }

    /// Resumes replication.
    pub fn catch_up(&self) {
        self.link.resume();
    }

    /// Delays replication by this time.
    pub fn delay(&self, delay: Duration) {
        self.link.delay(delay);
    }

    /// Waits until it has everything that its primary has now.
    ///
    /// # Panics
    /// If that takes too long, because it lags.
    pub fn wait_until_in_sync(&self, primary: &RedisServer) {
        let offset = |server: &RedisServer, name: &str| server.info("replication")[name].parse::<u64>().ok();
        let goal = offset(primary, "master_repl_offset");
        self.wait_until("the replica to be in sync", || offset(&self.server, "slave_repl_offset") >= goal);
    }

    /// Makes it a primary, with its current data.
    pub fn promote(&self) {
        self.server.cli::<()>("REPLICAOF NO ONE");
    }

    fn wait_until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < deadline, "timed out waiting for {what}:\n{}", self.server.log());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl RedisServer {
    /// Makes it refuse writes, like a replica whose primary is gone. [`promote`](Self::promote)
    /// ends that.
    pub fn make_read_only(&self) {
        // Nothing listens at this port.
        self.cli::<()>("REPLICAOF 127.0.0.1 1");
    }

    /// Makes it a primary, with its current data.
    pub fn promote(&self) {
        self.cli::<()>("REPLICAOF NO ONE");
    }
}
