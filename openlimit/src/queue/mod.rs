//! The queue of a limiter: the calls that wait, their order, and the outcome of each wait.
//!
//! # Structure
//!
//! All entries are in one slab, a vector that reuses its free places. Those that wait are linked
//! into one list for each priority. So joining, leaving from anywhere and being admitted take
//! constant time, and allocate only when the slab grows. (A timeout adds the update of a sorted
//! set, see below.) A call refers to its entry by its key in the slab.
//!
//! # From waiting to an outcome
//!
//! An entry is first a *waiter*: the amounts, the deadline and the waker of a call. When the call
//! is admitted or refused, the waiter leaves the list, and its entry keeps the *outcome* until the
//! call is polled or dropped. So the queue moves on without waiting for anyone to poll. The outcome
//! is never lost: a call that is polled receives it, and a call that is dropped hands it back, so
//! that a grant can be refunded.
//!
//! # Order
//!
//! The calls of each priority are a list of their own, in the order of their arrival, and
//! [`Order`](order) decides which of the lists is next. So a newcomer never has to look for its
//! place, however many calls of other priorities wait.
//!
//! # Totals
//!
//! The wait of a newcomer depends on the amounts of all waiters before it. The timer's next due
//! time depends on the earliest deadline. Computing them from the lists would take too long, so the
//! queue keeps the sum of all amounts of each priority, and a sorted set of all deadlines.
//!
//! # Files
//!
//! * `lazy` is [`Queue`], which makes `lines` when the first call joins. `lines` are the entries:
//!   joining, ending and leaving.
//! * `links` is the list of each priority, and `order` the rule that picks the next call of them.
//!   `walk` follows it.
//! * `ahead` is what a newcomer has to wait for. `reserve` says which calls need not wait for
//!   others.
//! * `turns` are calls that wait in several queues. `overflow` is which call is refused if too many
//!   wait, and `watch` what programs see of the queue.
//! * `waiter` is the data of a wait and of its outcome, and `urgency` what a call says about its
//!   place.

mod ahead;
mod lazy;
mod lines;
mod links;
mod order;
mod overflow;
mod reserve;
mod turns;
mod urgency;
mod waiter;
mod walk;
mod watch;

pub(crate) use self::lazy::Queue;
pub use self::overflow::Overflow;
pub(crate) use self::reserve::Reserve;
pub(crate) use self::urgency::Urgency;
pub(crate) use self::waiter::{Grant, Key, Notice, Outcome, Refusal, Refusals, Turn, Wait, Waiter};
pub(crate) use self::watch::LONG;

#[cfg(test)]
mod tests;
