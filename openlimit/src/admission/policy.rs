//! `Policy`: what the admission of calls follows and no call changes.
//!
//! The limiters of all keys share them, until a change is for one of them alone.

use super::full::Cap;
use crate::learning::Learning;

/// The options of an admission.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// The longest time by which a charge is dated back, in nanoseconds.
    pub(crate) grace: u64,
    /// The longest hold, in nanoseconds.
    pub(crate) max_hold: u64,
    pub(crate) cap: Cap,
    /// A bit for each limit whose burst follows what the provider's bucket was seen to hold.
    pub(crate) widens: u64,
    /// How it learns, before the first lesson. `None` if it does not.
    pub(crate) learning: Option<Learning>,
}

impl Policy {
    /// Returns true if the burst of the limit at a place follows what the provider's bucket was
    /// seen to hold.
    pub(super) fn widens(&self, place: usize) -> bool {
        self.widens >> place & 1 == 1
    }
}
