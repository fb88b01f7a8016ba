//! `Order`: who goes first. The one place that decides it.
//!
//! Nothing outside of `queue` assumes an order. Admission asks for the head whenever it may have
//! changed, and a backend that grants ahead matches its grants to the queue as it is.

use super::Waiter;

/// Returns whether a newcomer goes before a call that waits already.
///
/// It must be consistent: a newcomer that goes before one waiter goes before all behind that one.
pub(crate) type Order = fn(newcomer: &Waiter, waiting: &Waiter) -> bool;

/// First come, first served.
pub(crate) fn by_arrival(_: &Waiter, _: &Waiter) -> bool {
    false
}
