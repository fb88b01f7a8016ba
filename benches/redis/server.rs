//! A redis-server for the time of the benchmark, and what it says of itself.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use redis::{Client, Connection};

pub(crate) struct Server {
    process: Child,
    port: u16,
}

impl Server {
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is to be installed");
        let server = Self { process, port };
        for _ in 0..200 {
            if Client::open(server.url()).unwrap().get_connection().is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn client(&self) -> Client {
        Client::open(self.url()).unwrap()
    }

    pub(crate) fn connection(&self) -> Connection {
        self.client().get_connection().unwrap()
    }

    pub(crate) fn reset(&self) {
        let mut connection = self.connection();
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
        redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut connection).unwrap();
    }

    /// How often scripts were run, and how many microseconds of the server's time they took.
    pub(crate) fn scripts(&self) -> (f64, f64) {
        let said: String = redis::cmd("INFO").arg("commandstats").query(&mut self.connection()).unwrap();
        let number = |line: &str, key: &str| -> f64 {
            let from = line.find(key).unwrap() + key.len();
            line[from..].split(',').next().unwrap().parse().unwrap()
        };
        let lines = said.lines().filter(|line| line.starts_with("cmdstat_eval"));
        lines
            .map(|line| (number(line, "calls="), number(line, "usec=")))
            .fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
