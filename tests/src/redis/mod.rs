//! Real Redis servers to test against, and everything that can go wrong with them.
//!
//! Every server is a process of the test's own, on a free port of the loopback interface, and ends with the test.
//! `OPENLIMIT_REDIS_SERVER` names another binary than `redis-server`: `valkey-server`, or one of another version.

mod admin;
mod builder;
mod clock;
mod cluster;
pub mod crowd;
pub mod fork;
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
pub use proxy::Proxy;
pub use replica::Replica;
pub use server::RedisServer;
pub use window::{Grant, Worst};
pub use worker::Worker;
