//! Where the buckets of a limiter live: in memory, or in a store that many processes share.
//!
//! Admission asks one type, [`Backend`], and does not know which it is. What a backend has to do
//! is the trait [`Buckets`]. A further backend is one folder that implements it, and one branch in
//! each of [`Backend`], [`Choice`] and [`Driver`]:
//!
//! * [`Choice`] is what a builder was given. It opens a backend.
//! * [`Backend`] is the state that the limiter's lock guards.
//! * [`Driver`] is what a backend needs outside of that lock: a connection, a task.
//! * [`Served`] is the limiter as a driver sees it.

mod choice;
mod driver;
mod memory;
#[cfg(feature = "redis")]
mod redis;

#[cfg(feature = "redis")]
use self::choice::Opened;
pub(crate) use self::choice::{Choice, Starting};
pub(crate) use self::driver::{Driver, Refusals, Served};
pub(crate) use self::memory::Memory;
#[cfg(feature = "redis")]
pub use self::redis::{OnOutage, Redis};
pub(crate) use crate::bucket::Look;
use crate::error::StoreStatus;
use crate::limits::Amounts;
use crate::queue::{Queue, Refusal, Waiter};

/// The buckets of one limiter, wherever they are.
#[derive(Debug)]
pub(crate) enum Backend {
    Memory(Memory),
    #[cfg(feature = "redis")]
    Redis(Box<redis::Slots>),
}

impl Backend {
    /// Creates a backend without limits, to leave behind where another one is taken out.
    pub(crate) fn nothing() -> Self {
        Self::Memory(Memory::default())
    }
}

/// When a call can be admitted, and the limit that decides it, by its place in the limiter.
///
/// Of two, the later is the larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    pub(crate) at: u64,
    pub(crate) limit: usize,
}

/// What a backend does. Times are nanoseconds of the limiter's clock, amounts are by dimension, and
/// charges are numbered in the order in which they happen.
///
/// Everything runs under the limiter's lock: it must not block, wake or call foreign code.
pub(crate) trait Buckets {
    /// Takes a call that finds nobody waiting, from all limits or from none, and returns the number
    /// of the charge.
    fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64>;

    /// Returns when the head of the queue can be admitted; `None` as long as that is not known.
    fn due(&mut self, head: &Waiter, now: u64) -> Option<Due>;

    /// Charges the head of the queue, which is due, as of `at`, and returns the number of the
    /// charge. Follows a call of [`due`](Self::due) for the same head.
    fn charge(&mut self, amounts: &Amounts, at: u64, now: u64) -> u64;

    /// Gives back amounts of a charge, as far as they still matter.
    fn refund(&mut self, amounts: &Amounts, charge: u64, now: u64);

    /// Takes what an admitted call used beyond its reservation, into debt if need be.
    fn owe(&mut self, amounts: &Amounts, now: u64);

    /// Returns a lower bound on the wait of `call` if it joined now, and the limit that decides it.
    fn wait(&self, call: &Waiter, queue: &Queue, now: u64) -> (u64, usize);

    /// Refuses a call that does not wait, and would have to.
    fn would_wait(&mut self, call: &Waiter, queue: &Queue, now: u64) -> Refusal;

    /// Refuses a waiter whose timeout ended. The head is due at `head_due`; the largest value if that
    /// is not known.
    fn expire(&self, waiter: &Waiter, head_due: u64, now: u64) -> Refusal;

    /// Returns the state of each limit.
    fn look(&self, now: u64) -> Vec<Look>;

    /// Returns the state of the connection to the store; `None` if there is none.
    fn store(&self) -> Option<StoreStatus>;

    /// Notes that nobody waits any more: what was reserved ahead can be given back.
    fn idle(&mut self, now: u64);

    /// Returns whether the driver has to come before it would by itself.
    fn calls_driver(&mut self, waiting: usize, now: u64) -> bool;
}

/// The one place that knows which backends there are.
macro_rules! each {
    ($backend:expr, $one:ident => $call:expr) => {
        match $backend {
            Backend::Memory($one) => $call,
            #[cfg(feature = "redis")]
            Backend::Redis($one) => $call,
        }
    };
}

impl Buckets for Backend {
    #[inline(always)]
    fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        each!(self, one => one.take(amounts, now))
    }

    #[inline]
    fn due(&mut self, head: &Waiter, now: u64) -> Option<Due> {
        each!(self, one => one.due(head, now))
    }

    #[inline]
    fn charge(&mut self, amounts: &Amounts, at: u64, now: u64) -> u64 {
        each!(self, one => one.charge(amounts, at, now))
    }

    fn refund(&mut self, amounts: &Amounts, charge: u64, now: u64) {
        each!(self, one => one.refund(amounts, charge, now));
    }

    fn owe(&mut self, amounts: &Amounts, now: u64) {
        each!(self, one => one.owe(amounts, now));
    }

    fn wait(&self, call: &Waiter, queue: &Queue, now: u64) -> (u64, usize) {
        each!(self, one => one.wait(call, queue, now))
    }

    fn would_wait(&mut self, call: &Waiter, queue: &Queue, now: u64) -> Refusal {
        each!(self, one => one.would_wait(call, queue, now))
    }

    fn expire(&self, waiter: &Waiter, head_due: u64, now: u64) -> Refusal {
        each!(self, one => one.expire(waiter, head_due, now))
    }

    fn look(&self, now: u64) -> Vec<Look> {
        each!(self, one => one.look(now))
    }

    fn store(&self) -> Option<StoreStatus> {
        each!(self, one => one.store())
    }

    #[inline]
    fn idle(&mut self, now: u64) {
        each!(self, one => one.idle(now));
    }

    #[inline]
    fn calls_driver(&mut self, waiting: usize, now: u64) -> bool {
        each!(self, one => one.calls_driver(waiting, now))
    }
}
