//! The server of the tests: a redis-server process on a unix socket.
//!
//! Simulations exchange millions of batches with it, and a socket takes less time for each than
//! TCP.

use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

use redis::{Client as Opened, Connection};

/// A running redis-server. Dropping it ends the process.
pub(super) struct RedisServer {
    process: Child,
    socket: PathBuf,
}

impl RedisServer {
    pub(super) fn start() -> Self {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let socket = env::temp_dir().join(format!("openlimit-{}-{number}.sock", process::id()));
        let program = env::var("OPENLIMIT_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let process = Command::new(program)
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn();
        Self { process: process.expect("redis-server is not installed"), socket }
    }

    pub(super) fn connect(&self) -> Connection {
        let client = Opened::open(format!("redis+unix://{}", self.socket.display())).unwrap();
        for _ in 0..500 {
            if let Ok(connection) = client.get_connection() {
                return connection;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("redis-server does not answer");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.socket);
    }
}
