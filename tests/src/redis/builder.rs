//! Options of a test's server, as lines of its configuration file.

use super::server::RedisServer;

/// Options of a [`RedisServer`]. By default it writes nothing to disk, needs no password, and
/// listens on TCP.
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

/// The way in which clients connect to a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Transport {
    #[default]
    Tcp,
    Unix,
    Tls,
}

impl ServerBuilder {
    /// Requires this password from clients.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.config(&format!("requirepass {password}"))
    }

    /// Requires clients to log in as this user, with these rights: `~* &* +@all` for everything,
    /// `~* &* +@all -evalsha` for everything except one command.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str, rules: &str) -> Self {
        self.user = Some((name.to_owned(), password.to_owned()));
        self.config("user default off").config(&format!("user {name} on >{password} {rules}"))
    }

    /// Opens no port, only a unix socket.
    #[must_use]
    pub fn unix_only(mut self) -> Self {
        self.transport = Transport::Unix;
        self
    }

    /// Speaks only TLS on its port, with a certificate for 127.0.0.1 and `localhost`. It is signed
    /// by an authority of its own: [`RedisServer::authority`].
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.transport = Transport::Tls;
        self
    }

    /// Refuses writes beyond this many bytes, and evicts nothing. An empty server takes about a
    /// million.
    #[must_use]
    pub fn max_memory(self, bytes: u64) -> Self {
        self.config(&format!("maxmemory {bytes}")).config("maxmemory-policy noeviction")
    }

    /// Writes to disk before it replies, so that a restart loses nothing.
    #[must_use]
    pub fn append_only(self) -> Self {
        self.config("appendonly yes").config("appendfsync always")
    }

    /// Makes the server's clock adjustable: [`RedisServer::shift_clock`]. Needs a C compiler, and
    /// Linux.
    #[must_use]
    pub fn clock(mut self) -> Self {
        self.clock = true;
        self
    }

    /// Adds a line to the configuration file.
    #[must_use]
    pub fn config(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Sets a variable of the server's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes it a node of a cluster: its only one for now, without slots.
    #[must_use]
    pub fn cluster(mut self) -> Self {
        self.cluster = true;
        self.config("cluster-enabled yes").config("cluster-node-timeout 2000")
    }

    /// Starts it, and waits until it replies.
    ///
    /// # Panics
    /// If there is no such program, or it does not start. The message contains its output.
    #[must_use]
    pub fn start(self) -> RedisServer {
        let start = self.try_start();
        start.unwrap_or_else(|log| panic!("{} does not start:\n{log}", RedisServer::program()))
    }

    /// Starts it, and waits until it replies. For options that not every program supports, such as
    /// TLS.
    ///
    /// # Errors
    /// Its output, if it does not start.
    ///
    /// # Panics
    /// If there is no such program.
    pub fn try_start(self) -> Result<RedisServer, String> {
        RedisServer::launch(self)
    }
}
