//! A redis-server for the benchmark, and its statistics.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{Client, Connection, IntoConnectionInfo as _};

/// The time to wait for a reply, for clients whose own timeout is shorter. A busy machine should
/// not count against them.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    process: Child,
    port: u16,
}

/// The number of scripts that ran, and the time that they took of the server, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scripts {
    pub(crate) runs: f64,
    pub(crate) micros: f64,
}

impl Server {
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let server = Self { process, port };
        for _ in 0..200 {
            if server.client().get_connection().is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns a client that sends without delay, as openlimit does.
    pub(crate) fn client(&self) -> Client {
        let info = self.url().into_connection_info().unwrap();
        Client::open(info.set_tcp_settings(TcpSettings::default().set_nodelay(true))).unwrap()
    }

    pub(crate) fn connection(&self) -> Connection {
        self.client().get_connection().unwrap()
    }

    pub(crate) fn reset(&self) {
        let mut connection = self.connection();
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
        redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut connection).unwrap();
    }

    pub(crate) fn scripts(&self) -> Scripts {
        let said: String = redis::cmd("INFO").arg("commandstats").query(&mut self.connection()).unwrap();
        let number = |line: &str, key: &str| -> f64 {
            let from = line.find(key).unwrap() + key.len();
            line[from..].split(',').next().unwrap().parse().unwrap()
        };
        let lines = said.lines().filter(|line| line.starts_with("cmdstat_eval"));
        lines.fold(Scripts { runs: 0.0, micros: 0.0 }, |sum, line| Scripts {
            runs: sum.runs + number(line, "calls="),
            micros: sum.micros + number(line, "usec="),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
