//! `Overflow`: which call is refused when too many wait.
//!
//! A newcomer joins first, and then one call of all is refused. So each policy is one choice among
//! the calls that wait, and the newcomer is one of them.

use super::lines::Lines;
use super::{Key, Waiter};

/// Which call is refused when more calls would wait than
/// [`max_waiting`](crate::Builder::max_waiting) allows. The refused call gets
/// [`AcquireError::QueueFull`](crate::AcquireError::QueueFull).
///
/// A call never takes the place of one of a higher [priority](crate::Priority).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The call that arrives. Those that wait keep their places.
    #[default]
    RejectNew,
    /// The call that has waited longest, of those whose priority is not above that of the call that
    /// arrives. If there is none, the call that arrives.
    ///
    /// For callers that lose interest: the oldest request is the one whose user has most likely
    /// left.
    DropOldest,
    /// The last call of the lowest priority. If no priority is lower than that of the call that
    /// arrives, that one.
    DropLowest,
}

impl Lines {
    /// Returns the call to refuse after the call of this key has joined, or after fewer may wait.
    pub(super) fn excess(&self, newcomer: Option<Key>, overflow: Overflow) -> Option<Key> {
        // Without a newcomer, none but the lowest calls make place.
        let lowest = self.lines.iter().rposition(|line| line.len > 0);
        match overflow {
            Overflow::RejectNew => newcomer,
            Overflow::DropOldest => {
                let newcomer = newcomer.and_then(|newcomer| self.waiter(newcomer));
                self.order.oldest_from(newcomer.map(Waiter::line).or(lowest)?)
            }
            Overflow::DropLowest => lowest.map(|line| self.lines[line].last),
        }
    }
}
