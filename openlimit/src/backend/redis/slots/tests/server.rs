//! The server of the tests: a redis-server process on a free port.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use redis::{Client as Opened, Connection};

/// A running redis-server. Dropping it ends the process.
pub(super) struct RedisServer {
    process: Child,
    port: u16,
}

impl RedisServer {
    pub(super) fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let program = std::env::var("OPENLIMIT_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let process = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .stdout(Stdio::null())
            .spawn();
        Self { process: process.expect("redis-server is not installed"), port }
    }

    pub(super) fn connect(&self) -> Connection {
        let client = Opened::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
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
    }
}
