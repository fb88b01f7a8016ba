//! A Redis server that belongs to one test.
//!
//! Besides the port of the clients it has a unix socket for the test's own commands. They work
//! whatever happens to the network, and with all rights, whatever the clients may do.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use redis::{Client, Connection, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo, RedisResult};

use super::builder::{ServerBuilder, Transport};
use super::clock::Clock;
use super::port;
use super::process::{Directory, Process};
use super::tls::Certificates;
use super::turn;

/// The name and the password of the test's own user. Replicas use it too.
pub(super) const ADMIN: &str = "harness";

/// A start usually takes 50 ms. A machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// The number of ports to try.
const ATTEMPTS: u32 = 20;

/// A running server. It is killed and its files are removed when it is dropped, and when the test
/// is killed.
///
/// All methods take `&self`, so that one thread can cause faults while others work.
#[derive(Debug)]
pub struct RedisServer {
    // Dropped in this order: the process before its directory.
    process: Mutex<Option<Process>>,
    directory: Directory,
    clock: Option<Clock>,
    options: ServerBuilder,
    port: u16,
}

impl RedisServer {
    /// Starts a server with the default options.
    ///
    /// # Panics
    /// If there is no such program, or it does not start. The message contains its output.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Returns the options of a server.
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Returns the program that is started.
    #[must_use]
    pub fn program() -> String {
        std::env::var("OPENLIMIT_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
    }

    /// Starts it, or returns its output.
    pub(super) fn launch(options: ServerBuilder) -> Result<Self, String> {
        turn::wait();
        let clock = options.clock.then(|| Clock::new().expect("a C compiler, which makes the clock"));
        let directory = Directory::new();
        if options.transport == Transport::Tls {
            Certificates(directory.path()).make();
        }
        let mut server = Self { process: Mutex::default(), directory, clock, options, port: port::free() };
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            match server.run() {
                Ok(()) => return Ok(server),
                // Another process took the port in the meantime.
                Err(log) if log.contains("Address already in use") => {
                    server.port = port::free();
                    reason = log;
                }
                Err(log) => return Err(log),
            }
        }
        Err(format!("none of {ATTEMPTS} ports is free:\n{reason}"))
    }

    /// Returns the URL for clients, including user and password.
    #[must_use]
    pub fn url(&self) -> String {
        match self.options.transport {
            Transport::Tcp | Transport::Tls => self.url_at(self.address()),
            Transport::Unix => {
                let (user, password) = self.credentials();
                let path = self.socket().display().to_string();
                match (user, password) {
                    ("", "") => format!("unix://{path}"),
                    ("", password) => format!("unix://{path}?pass={password}"),
                    (user, password) => format!("unix://{path}?user={user}&pass={password}"),
                }
            }
        }
    }

    /// Returns the URL through another address, such as that of a proxy.
    #[must_use]
    pub fn url_at(&self, address: SocketAddr) -> String {
        let scheme = if self.options.transport == Transport::Tls { "rediss" } else { "redis" };
        match self.credentials() {
            ("", "") => format!("{scheme}://{address}"),
            (user, password) => format!("{scheme}://{user}:{password}@{address}"),
        }
    }

    /// Returns the address at which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns the port at which it listens. A restart keeps it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the certificate, as PEM, that a client has to trust.
    ///
    /// # Panics
    /// If it does not speak TLS.
    #[must_use]
    pub fn authority(&self) -> Vec<u8> {
        fs::read(Certificates(self.directory()).authority()).expect("a server that speaks TLS")
    }

    /// Returns its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the id of its process, if it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process().as_ref().map(Process::id)
    }

    /// Returns its output since its last start.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// Kills it, like a crash. Its port stays free for [`restart`](Self::restart).
    pub fn kill_9(&self) {
        *self.process() = None;
    }

    /// Kills it if it runs, and starts it again on the same port. It is empty, unless it is
    /// [append-only](ServerBuilder::append_only).
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&self) {
        self.kill_9();
        let deadline = Instant::now() + PATIENCE;
        while let Err(log) = self.run() {
            let taken = log.contains("Address already in use") && Instant::now() < deadline;
            assert!(taken, "{} does not restart:\n{log}", Self::program());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops the process (`SIGSTOP`). Connections stay open and are accepted, and nothing is
    /// answered.
    pub fn stop(&self) {
        self.signal("STOP");
    }

    /// Continues a stopped process. It then answers everything that was sent.
    pub fn cont(&self) {
        self.signal("CONT");
    }

    /// Sets the server's wall clock ahead of the machine's by this many microseconds, or behind it.
    /// Its monotonic clock stays. Returns when the server has noticed: it may read the clock only
    /// ten times a second.
    ///
    /// # Panics
    /// If it was not started with [`ServerBuilder::clock`], or does not reply.
    pub fn shift_clock(&self, micros: i64) {
        /// The largest age of the time that a server reports.
        const STALE: i64 = 20_000;
        self.clock.as_ref().expect("a server whose clock can be set").set(micros);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let earliest = wall_clock() + micros - STALE;
            let reported = i64::try_from(self.time_us()).unwrap_or(i64::MAX);
            if (earliest..=wall_clock() + micros).contains(&reported) {
                return;
            }
            assert!(Instant::now() < deadline, "the server's clock did not change");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Connects for the test's own commands: through the unix socket, with all rights.
    ///
    /// # Errors
    /// If the server does not run. If it is stopped or paused, this fails after a few seconds.
    pub fn connect(&self) -> RedisResult<Connection> {
        let info = ConnectionAddr::Unix(self.socket()).into_connection_info()?;
        let login = RedisConnectionInfo::default().set_username(ADMIN).set_password(ADMIN);
        let client = Client::open(info.set_redis_settings(login.set_skip_set_lib_name()))?;
        let connection = client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    fn credentials(&self) -> (&str, &str) {
        match (&self.options.user, &self.options.password) {
            (Some((user, password)), _) => (user, password),
            (None, Some(password)) => ("", password),
            (None, None) => ("", ""),
        }
    }

    /// Starts the process and waits until it replies, or returns its output.
    fn run(&self) -> Result<(), String> {
        // A killed server may have left one.
        let _ = fs::remove_file(self.socket());
        let file = self.directory().join("redis.conf");
        fs::write(&file, self.configuration()).map_err(|error| error.to_string())?;
        let log = File::create(self.log_file()).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new(Self::program());
        command.arg(file).stdout(log).stderr(errors).envs(self.options.environment.iter().cloned());
        command.envs(self.clock.iter().flat_map(Clock::environment));
        let mut process = Process::spawn(&mut command, self.directory());
        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            if process.ended().is_some() || Instant::now() > deadline {
                return Err(self.log());
            }
            thread::sleep(Duration::from_millis(5));
        }
        *self.process() = Some(process);
        Ok(())
    }

    /// Returns whether it accepts commands, which it does after it has loaded its data from disk.
    fn answers(&self) -> bool {
        self.connect().and_then(|mut connection| redis::cmd("PING").exec(&mut connection)).is_ok()
    }

    fn configuration(&self) -> String {
        let port = if self.options.transport == Transport::Tcp { self.port } else { 0 };
        let mut lines = vec![
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", self.directory().display()),
            format!("unixsocket {}", self.socket().display()),
            "save \"\"".to_owned(),
            format!("user {ADMIN} on >{ADMIN} ~* &* +@all"),
            format!("masteruser {ADMIN}"),
            format!("masterauth {ADMIN}"),
            // A replica copies at once. By default, its primary waits 5 s for others.
            "repl-diskless-sync-delay 0".to_owned(),
        ];
        if self.options.transport == Transport::Tls {
            lines.extend(Certificates(self.directory()).configuration(self.port));
        }
        if self.options.cluster {
            // By default it is 10 000 above the port, where another program may listen.
            lines.push(format!("cluster-port {}", port::free()));
        }
        lines.extend(self.options.lines.iter().cloned());
        lines.join("\n") + "\n"
    }

    fn socket(&self) -> PathBuf {
        self.directory().join("redis.sock")
    }

    fn log_file(&self) -> PathBuf {
        self.directory().join("log")
    }

    fn signal(&self, name: &str) {
        self.process().as_ref().expect("the server runs").signal(name);
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        // A test that panicked with the lock has left the process as it was.
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the machine's clock, in microseconds since 1970.
fn wall_clock() -> i64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
