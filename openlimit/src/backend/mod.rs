//! Where the buckets of a limiter live: in memory, or in a store that many processes share.
//!
//! Admission uses one type, [`Backend`], and does not know which variant it holds. The trait
//! [`Buckets`] lists what a backend does. To add one, implement the trait in a folder of its own,
//! and add one branch to each of [`Choice`], [`Ready`], [`Backend`] and [`Driver`]:
//!
//! * [`Choice`] is the setting of a builder. [`Ready`] is the same, checked: it opens backends.
//! * [`Backend`] is the state that the limiter's lock guards.
//! * [`Driver`] is the part that runs outside of that lock: a connection, a task.
//! * [`Served`] is the limiter as its driver sees it.

mod buckets;
mod choice;
mod dispatch;
mod driver;
mod memory;
mod newer;
#[cfg(feature = "redis")]
mod redis;
mod served;
mod starting;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use self::buckets::{Buckets, Due, HOLD, UNNUMBERED};
pub(crate) use self::choice::{Choice, Ready};
pub(crate) use self::dispatch::Backend;
pub(crate) use self::driver::Driver;
pub(crate) use self::memory::Memory;
pub(crate) use self::newer::Newer;
#[cfg(feature = "redis")]
pub use self::redis::{OnOutage, Redis};
pub(crate) use self::served::Served;
pub(crate) use self::starting::Starting;
pub(crate) use crate::bucket::Look;
