//! Shared limits: the buckets are in Redis, and the queue, the permits and everything else are as they are in memory.
//!
//! * `decide.lua` is the bucket: it decides a whole batch of calls in one go, by the server's clock.
//! * `shared` is what the limiter has in place of buckets: slots, granted ahead, for those who wait.
//! * `ledger` keeps what is to be given back, and `refunds` bounds it; `scale` says what amounts weigh.
//! * `driver` carries batches and replies; `wire` writes and reads them; `flush` waits for one.
//! * `client` has a batch decided; `route` finds the server, and `pool` the `connection`; `problem` tells what went wrong.
//! * `config`, `access` and `settings` say which server, which keys, and what to do when it is away.

mod access;
mod client;
mod config;
mod connection;
mod driver;
mod error;
mod flush;
mod key;
mod ledger;
mod outage;
mod pool;
mod problem;
mod refunds;
mod route;
mod scale;
mod script;
mod settings;
mod shared;
mod terms;
mod wire;

pub use self::config::{OnOutage, Redis};
pub(crate) use self::driver::Session;
pub use self::error::{StoreError, StoreProblem};
pub use self::flush::Flush;
pub(crate) use self::scale::{MOST, Scale};
pub(crate) use self::settings::Settings;
pub(crate) use self::shared::{Shared, Wished};
pub(crate) use self::terms::Terms;
pub(crate) use self::wire::Reply;
