//! Administers a test's server: sends it commands, and reads its statistics.

use std::collections::BTreeMap;
use std::str::FromStr;

use redis::{Cmd, FromRedisValue};

use super::server::{ADMIN, RedisServer};

/// The work of a server for one command, since its start or since [`RedisServer::reset_stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandStats {
    /// The number of runs.
    pub calls: u64,
    /// The processor time of all runs, in microseconds.
    pub microseconds: u64,
    /// The number of times that it was refused before it ran.
    pub rejected: u64,
    /// The number of runs that failed.
    pub failed: u64,
}

impl RedisServer {
    /// Sends a command and returns the reply.
    ///
    /// # Panics
    /// If the server does not reply, refuses, or replies with something other than a `T`.
    #[track_caller]
    pub fn query<T: FromRedisValue>(&self, command: &Cmd) -> T {
        let answer = self.connect().and_then(|mut connection| command.query(&mut connection));
        answer.unwrap_or_else(|error| panic!("no reply: {error}; the server printed:\n{}", self.log()))
    }

    /// Sends a command of words: `server.cli("CONFIG SET maxmemory 1mb")`.
    #[track_caller]
    pub fn cli<T: FromRedisValue>(&self, words: &str) -> T {
        let mut command = Cmd::new();
        for word in words.split_whitespace() {
            command.arg(word);
        }
        self.query(&command)
    }

    /// Stops replying to all clients for this time, including this test. Connections stay open.
    #[track_caller]
    pub fn client_pause(&self, milliseconds: u64) {
        self.cli::<()>(&format!("CLIENT PAUSE {milliseconds} ALL"));
    }

    /// Closes the connections of all clients.
    #[track_caller]
    pub fn client_kill(&self) {
        for kind in ["normal", "pubsub"] {
            self.cli::<()>(&format!("CLIENT KILL TYPE {kind} SKIPME yes"));
        }
    }

    /// Returns the ids of the clients' connections, without this test's own.
    #[must_use]
    #[track_caller]
    pub fn client_ids(&self) -> Vec<u64> {
        let clients =
            ["normal", "pubsub"].map(|kind| self.cli::<String>(&format!("CLIENT LIST TYPE {kind}")));
        let clients = clients
            .iter()
            .flat_map(|clients| clients.lines())
            .filter(|client| !client.contains(&format!(" user={ADMIN} ")));
        let id = |client: &str| client.strip_prefix("id=")?.split(' ').next()?.parse().ok();
        clients.map(|client| id(client).expect("a client has an id")).collect()
    }

    /// Deletes all data.
    #[track_caller]
    pub fn flush_all(&self) {
        self.cli::<()>("FLUSHALL");
    }

    /// Deletes all scripts.
    #[track_caller]
    pub fn script_flush(&self) {
        self.cli::<()>("SCRIPT FLUSH");
    }

    /// Returns the server's clock, in microseconds since 1970.
    #[must_use]
    #[track_caller]
    pub fn time_us(&self) -> u64 {
        let (seconds, micros): (u64, u64) = self.cli("TIME");
        seconds * 1_000_000 + micros
    }

    /// Returns all keys, sorted.
    #[must_use]
    #[track_caller]
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.cli("KEYS *");
        keys.sort();
        keys
    }

    /// Returns the content of `INFO`, by name.
    #[must_use]
    #[track_caller]
    pub fn info(&self, section: &str) -> BTreeMap<String, String> {
        let text: String = self.cli(&format!("INFO {section}"));
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Returns the statistics by command, in lower case. Commands that never ran are missing. The
    /// commands of this test are included.
    #[must_use]
    #[track_caller]
    pub fn command_stats(&self) -> BTreeMap<String, CommandStats> {
        let info = self.info("commandstats");
        let commands = info.iter().filter_map(|(name, value)| Some((name.strip_prefix("cmdstat_")?, value)));
        commands.map(|(name, value)| (name.to_owned(), CommandStats::read(value))).collect()
    }

    /// Returns how often a command ran. Its name is in lower case. Commands of scripts count.
    #[must_use]
    #[track_caller]
    pub fn calls(&self, command: &str) -> u64 {
        self.command_stats().get(command).map_or(0, |stats| stats.calls)
    }

    /// Resets the statistics.
    #[track_caller]
    pub fn reset_stats(&self) {
        self.cli::<()>("CONFIG RESETSTAT");
    }
}

impl CommandStats {
    /// Reads `calls=3,usec=12,usec_per_call=4.00,rejected_calls=0,failed_calls=0`.
    fn read(text: &str) -> Self {
        let field = |name: &str| {
            let fields = text.split(',').filter_map(|field| field.split_once('='));
            fields
                .filter(|(key, _)| *key == name)
                .find_map(|(_, value)| u64::from_str(value).ok())
                .unwrap_or(0)
        };
        Self {
            calls: field("calls"),
            microseconds: field("usec"),
            rejected: field("rejected_calls"),
            failed: field("failed_calls"),
        }
    }
}
