//! How a server is to be: its configuration file, line by line.

use super::server::RedisServer;

/// Options of a [`RedisServer`]. By default it keeps nothing on disk, asks for no password, and listens on TCP.
#[derive(Clone, Debug, Default)]
pub struct ServerBuilder {
    pub(super) user: Option<(String, String)>,
    pub(super) password: Option<String>,
    pub(super) transport: Transport,
    pub(super) lines: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) cluster: bool,
    pub(super) clock: bool,
}

/// How clients reach a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Transport {
    #[default]
    Tcp,
    Unix,
    Tls,
}

impl ServerBuilder {
    /// Clients have to give this password.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.config(&format!("requirepass {password}"))
    }

    /// Clients have to log in as this user, who may do what `rules` say: `~* &* +@all` for everything,
    /// `~* &* +@all -evalsha` for all but a command.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str, rules: &str) -> Self {
        self.user = Some((name.to_owned(), password.to_owned()));
        self.config("user default off").config(&format!("user {name} on >{password} {rules}"))
    }

    /// There is no port, only a unix socket.
    #[must_use]
    pub fn unix_only(mut self) -> Self {
        self.transport = Transport::Unix;
        self
    }

    /// The port speaks TLS and nothing else, with a certificate for 127.0.0.1 and `localhost` by an authority of its own:
    /// [`RedisServer::authority`].
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.transport = Transport::Tls;
        self
    }

    /// Writes beyond so many bytes are refused, and nothing is evicted. An empty server takes about a million.
    #[must_use]
    pub fn max_memory(self, bytes: u64) -> Self {
        self.config(&format!("maxmemory {bytes}")).config("maxmemory-policy noeviction")
    }

    /// Every write is on disk before it is answered: a restart loses nothing.
    #[must_use]
    pub fn append_only(self) -> Self {
        self.config("appendonly yes").config("appendfsync always")
    }

    /// The server's clock can be set: [`RedisServer::shift_clock`]. It takes a C compiler, and Linux.
    #[must_use]
    pub fn clock(mut self) -> Self {
        self.clock = true;
        self
    }

    /// A further line of the configuration file.
    #[must_use]
    pub fn config(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// A variable of the server's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// It is a node of a cluster, and for now its only one, without slots.
    #[must_use]
    pub fn cluster(mut self) -> Self {
        self.cluster = true;
        self.config("cluster-enabled yes").config("cluster-node-timeout 2000")
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    /// If there is no such program, or it does not start: with what it printed.
    #[must_use]
    pub fn start(self) -> RedisServer {
        let start = self.try_start();
        start.unwrap_or_else(|log| panic!("{} does not start:\n{log}", RedisServer::program()))
    }

    /// Starts it, and waits until it answers. For options that a program may not know: one built without TLS, for one.
    ///
    /// # Errors
    /// What it printed, if it does not start.
    ///
    /// # Panics
    /// If there is no such program.
    pub fn try_start(self) -> Result<RedisServer, String> {
        RedisServer::launch(self)
    }
}
