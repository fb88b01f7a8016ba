//! `Order`: which call goes first. This is the only place that decides it.
//!
//! Nothing outside of `queue` assumes an order. Admission asks for the head whenever it may have
//! changed. A shared backend may be granted charges ahead of time. It matches them to the queue as
//! it is when they are used.

use super::Waiter;

/// Returns whether a newcomer goes before a call that waits already.
///
/// It must be consistent: a newcomer that goes before one waiter also goes before all waiters
/// behind that one.
pub(crate) type Order = fn(newcomer: &Waiter, waiting: &Waiter) -> bool;

/// Orders calls by arrival: first come, first served.
pub(crate) fn by_arrival(_: &Waiter, _: &Waiter) -> bool {
    false
}
