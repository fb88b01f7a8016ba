//! A cluster of three masters, in which a slot can move while clients work.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use redis::FromRedisValue;

use super::server::RedisServer;
use super::turn;

/// The longest time until the masters agree. It usually takes about two seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Three masters that share the slots.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<RedisServer>,
}

impl Cluster {
    /// Starts three masters, and waits until all of them serve.
    ///
    /// # Panics
    /// If there is no `redis-cli`, or the masters do not agree.
    #[must_use]
    pub fn start() -> Self {
        turn::wait();
        let nodes: Vec<_> = thread::scope(|scope| {
            let starts: Vec<_> =
                (0..3).map(|_| scope.spawn(|| RedisServer::builder().cluster().start())).collect();
            starts.into_iter().map(|start| start.join().expect("a node starts")).collect()
        });
        let cluster = Self { nodes };
        let output = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(cluster.nodes.iter().map(|node| node.address().to_string()))
            .args(["--cluster-replicas", "0", "--cluster-yes"])
            .output()
            .expect("redis-cli, which `bash tests/run.sh` installs on Debian");
        assert!(output.status.success(), "no cluster: {}", String::from_utf8_lossy(&output.stdout));
        cluster.wait_until_ok();
        cluster
    }

    /// Returns the nodes.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// Returns the URLs of the nodes.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// Returns the slot of a key. Only the text in its first braces counts, if there is any.
    #[must_use]
    #[track_caller]
    pub fn slot_of(&self, key: &str) -> u16 {
        self.nodes[0].query(redis::cmd("CLUSTER").arg("KEYSLOT").arg(key))
    }

    /// Returns the index of the node that serves a slot.
    ///
    /// # Panics
    /// If no node reports that it does.
    #[must_use]
    #[track_caller]
    pub fn owner_of(&self, slot: u16) -> usize {
        let ids: Vec<String> = self.nodes.iter().map(|node| node.cli("CLUSTER MYID")).collect();
        let nodes: String = self.nodes[0].cli("CLUSTER NODES");
        let line = nodes.lines().find(|line| line.split(' ').skip(8).any(|range| contains(range, slot)));
        let id = line.and_then(|line| line.split(' ').next()).expect("a node with the slot");
        ids.iter().position(|known| known == id).expect("a node of this cluster")
    }

    /// Returns the node that serves a key.
    #[must_use]
    #[track_caller]
    pub fn node_of(&self, key: &str) -> &RedisServer {
        &self.nodes[self.owner_of(self.slot_of(key))]
    }

    /// Moves a slot with its keys from its node to the next one, while clients work, and returns
    /// the index of the new owner. `between` runs half way: both nodes know about the move, and the
    /// keys are still on the first.
    ///
    /// # Panics
    /// If a node refuses.
    #[track_caller]
    pub fn migrate_slot(&self, slot: u16, between: impl FnOnce()) -> usize {
        self.migrate_slot_slowly(slot, between, || {})
    }

    /// Moves a slot as [`Self::migrate_slot`] does. `moved` runs just before the last step: the
    /// keys are on the second node, and the first one still owns the slot.
    ///
    /// # Panics
    /// If a node refuses.
    #[track_caller]
    pub fn migrate_slot_slowly(&self, slot: u16, between: impl FnOnce(), moved: impl FnOnce()) -> usize {
        let from = self.owner_of(slot);
        let to = (from + 1) % self.nodes.len();
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        let (source_id, target_id): (String, String) =
            (source.cli("CLUSTER MYID"), target.cli("CLUSTER MYID"));
        target.cli::<()>(&format!("CLUSTER SETSLOT {slot} IMPORTING {source_id}"));
        source.cli::<()>(&format!("CLUSTER SETSLOT {slot} MIGRATING {target_id}"));
        between();
        loop {
            let keys: Vec<Vec<u8>> = source.cli(&format!("CLUSTER GETKEYSINSLOT {slot} 100"));
            if keys.is_empty() {
                break;
            }
            let mut migrate = redis::cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(target.port()).arg("").arg(0).arg(5_000).arg("KEYS").arg(&keys);
            source.query::<redis::Value>(&migrate);
        }
        moved();
        // The new owner first. Otherwise, no node would own the slot for a moment.
        let other = &self.nodes[(to + 1) % self.nodes.len()];
        for node in [target, source, other] {
            node.cli::<()>(&format!("CLUSTER SETSLOT {slot} NODE {target_id}"));
        }
        to
    }

    /// Waits until every node reports that the cluster serves.
    ///
    /// # Panics
    /// If that takes too long.
    pub fn wait_until_ok(&self) {
        let deadline = Instant::now() + PATIENCE;
        let is_ok = |node: &RedisServer| node.cli::<String>("CLUSTER INFO").contains("cluster_state:ok");
        while !self.nodes.iter().all(is_ok) {
            assert!(Instant::now() < deadline, "the cluster does not serve:\n{}", self.nodes[0].log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a command of words to the node of a key: `cluster.cli("a", "GET a")`.
    #[track_caller]
    pub fn cli<T: FromRedisValue>(&self, key: &str, words: &str) -> T {
        self.node_of(key).cli(words)
    }

    /// Returns the addresses of the nodes.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(RedisServer::address).collect()
    }
}

/// Returns whether `7` or `0-5460` contains a slot. Moves under way, such as `[7->-id]`, do not
/// count.
fn contains(range: &str, slot: u16) -> bool {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(first), Ok(last)) if (first..=last).contains(&slot))
}
