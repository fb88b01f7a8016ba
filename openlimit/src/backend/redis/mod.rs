//! Shared limits: the buckets are in Redis. The queue, the permits and everything else are as they
//! are in memory.
//!
//! * `decide.lua` is the bucket: it decides a whole batch of calls in one go, by the server's clock.
//! * `slots` is what the limiter has in place of buckets: charges, granted ahead, for calls that wait.
//! * `ledger` keeps what is to be given back, and `refunds` bounds it; `scale` says what amounts
//!   weigh.
//! * `driver` carries batches and replies; `wire` writes and reads them.
//! * `client` has a batch decided; `route` finds the server, and `pool` the `connection`; `problem`
//!   turns an error of the server into one for callers.
//! * `config`, `access`, `settings` and `terms` say which server, which keys, and what to do when it
//!   is away; `build` puts a limiter together.

mod access;
mod build;
mod client;
mod config;
mod connection;
mod driver;
mod key;
mod ledger;
mod pool;
mod problem;
mod refunds;
mod route;
mod scale;
mod script;
mod settings;
mod slots;
mod terms;
mod wire;

pub(super) use self::build::open;
pub use self::config::{OnOutage, Redis};
pub(crate) use self::driver::Session;
pub(super) use self::slots::Slots;
