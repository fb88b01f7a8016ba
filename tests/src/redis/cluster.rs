//! A cluster of three masters, and the move of a slot from one to another while clients work.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use redis::FromRedisValue;

use super::server::RedisServer;
use super::turn;

/// The masters agree within about two seconds.
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

    /// Its nodes.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The URLs of its nodes.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// The slot of a key; of what stands in the first braces, if there are any.
    #[must_use]
    #[track_caller]
    pub fn slot_of(&self, key: &str) -> u16 {
        self.nodes[0].query(redis::cmd("CLUSTER").arg("KEYSLOT").arg(key))
    }

    /// Which node serves a slot: its index.
    ///
    /// # Panics
    /// If none says that it does.
    #[must_use]
    #[track_caller]
    pub fn owner_of(&self, slot: u16) -> usize {
        let ids: Vec<String> = self.nodes.iter().map(|node| node.cli("CLUSTER MYID")).collect();
        let nodes: String = self.nodes[0].cli("CLUSTER NODES");
        let line = nodes.lines().find(|line| line.split(' ').skip(8).any(|range| contains(range, slot)));
        let id = line.and_then(|line| line.split(' ').next()).expect("a node with the slot");
        ids.iter().position(|known| known == id).expect("a node of this cluster")
    }

    /// The node that serves a key.
    #[must_use]
    #[track_caller]
    pub fn node_of(&self, key: &str) -> &RedisServer {
        &self.nodes[self.owner_of(self.slot_of(key))]
    }

    /// Moves a slot with its keys from its node to the next one, while clients work, and returns the new owner's index.
    /// `between` runs when half of it is done: the slot is announced on both sides, and its keys are still on the first.
    ///
    /// # Panics
    /// If a node does not obey.
    #[track_caller]
    pub fn migrate_slot(&self, slot: u16, between: impl FnOnce()) -> usize {
        self.migrate_slot_slowly(slot, between, || {})
    }

    /// The same. `moved` runs when all but the last is done: the keys are on the second node, and the slot is still the first one's.
    ///
    /// # Panics
    /// If a node does not obey.
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
        // The new owner first: otherwise the slot would for a moment belong to nobody.
        let other = &self.nodes[(to + 1) % self.nodes.len()];
        for node in [target, source, other] {
            node.cli::<()>(&format!("CLUSTER SETSLOT {slot} NODE {target_id}"));
        }
        to
    }

    /// Waits until every node says that the cluster serves.
    ///
    /// # Panics
    /// If that does not happen.
    pub fn wait_until_ok(&self) {
        let deadline = Instant::now() + PATIENCE;
        let is_ok = |node: &RedisServer| node.cli::<String>("CLUSTER INFO").contains("cluster_state:ok");
        while !self.nodes.iter().all(is_ok) {
            assert!(Instant::now() < deadline, "the cluster does not serve:\n{}", self.nodes[0].log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks a key's node by words: `cluster.cli("a", "GET a")`.
    #[track_caller]
    pub fn cli<T: FromRedisValue>(&self, key: &str, words: &str) -> T {
        self.node_of(key).cli(words)
    }

    /// Where its nodes listen.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(RedisServer::address).collect()
    }
}

/// Whether `7` or `0-5460` contains a slot. What is under way, `[7->-id]`, is not counted.
fn contains(range: &str, slot: u16) -> bool {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(first), Ok(last)) if (first..=last).contains(&slot))
}
