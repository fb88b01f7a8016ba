//! Real Redis servers for tests, and the faults that they can have.
//!
//! Each server is a process of its test, on a free port of the loopback interface, and ends with
//! the test. `OPENLIMIT_REDIS_SERVER` selects another program than `redis-server`, such as
//! `valkey-server` or another version.

mod admin;
mod builder;
mod clock;
mod cluster;
pub mod crowd;
pub mod fork;
pub mod hostile;
pub mod port;
mod preload;
mod process;
mod proxy;
pub mod quota;
mod replica;
mod server;
mod tls;
mod turn;
pub mod window;
pub mod worker;

pub use admin::CommandStats;
pub use builder::ServerBuilder;
pub use cluster::Cluster;
pub use crowd::{Crowd, Share};
pub use fork::Forks;
pub use hostile::Hostile;
pub use proxy::Proxy;
pub use replica::Replica;
pub use server::RedisServer;
pub use window::{Grant, Worst};
pub use worker::Worker;
