//! `Seldom`: the part of the state that few limiters ever need. And `Lazily`: what has no storage
//! before it is first changed.
//!
//! A program may have a limiter for each of a million keys, most of which are used a little, never
//! wait and are never refused. So a limiter consists of three parts: what its calls touch, what it
//! shares with the limiters of all keys ([`Policy`](super::Policy)), and this.

use std::collections::BTreeMap;
use std::fmt;
use std::task::Waker;

use super::checks::Checks;
use super::flights::Flights;
use super::probes::Probes;
use crate::learning::Learning;

/// What has a value from the beginning, which no storage is needed for.
pub(crate) trait Unused: Sized + 'static {
    /// The value before the first change.
    const UNUSED: &'static Self;

    /// Returns a copy of it.
    fn unused() -> Self;
}

/// A value that is stored once it was changed.
pub(crate) struct Lazily<T>(Option<Box<T>>);

impl<T> Default for Lazily<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Unused> Lazily<T> {
    /// Returns the value.
    #[inline]
    pub(crate) fn get(&self) -> &T {
        self.0.as_deref().unwrap_or(T::UNUSED)
    }

    /// Returns the value to change it, which takes storage for it.
    pub(crate) fn change(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::unused()))
    }

    /// Returns the value to change it, if it has storage: others need not be told what is so from
    /// the beginning.
    #[inline]
    pub(crate) fn changed(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}

impl<T: Unused + fmt::Debug> fmt::Debug for Lazily<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// What is needed once a call waits, a quota is used up, or calls teach.
#[derive(Debug)]
pub(super) struct Seldom {
    /// The time at which the head is due; the largest value if no call waits, or if the time is not
    /// known.
    pub(super) due: u64,
    /// What the head waits for: the place of a limit, or a hold. If the call before it has just
    /// departed, what that one waited for. `None` if it is not known.
    pub(super) waits_for: Option<usize>,
    /// The moment before which the head cannot have been due, or an earlier one: the last one at
    /// which a call before it was charged or left, the limiter was reset, or the head was looked
    /// at and not due yet.
    pub(super) since: u64,
    pub(super) checks: Checks,
    pub(super) probes: Probes,
    pub(super) is_closed: bool,
    /// The number of the first charge that a reset has not forgotten, as far as it is known.
    pub(super) first: u64,
    /// The wakers of calls that wait for other limiters before they join the queue.
    pub(super) announced: BTreeMap<usize, Waker>,
    /// What calls turned out to cost. `None` before the first lesson.
    pub(super) learning: Option<Learning>,
    /// The calls in flight. `None` if they are not limited.
    pub(super) in_flight: Option<Flights>,
}

impl Seldom {
    const NEW: Self = Self {
        due: u64::MAX,
        waits_for: None,
        since: 0,
        checks: Checks::NONE,
        probes: Probes::NONE,
        is_closed: false,
        first: 0,
        announced: BTreeMap::new(),
        learning: None,
        in_flight: None,
    };
}

impl Unused for Seldom {
    const UNUSED: &'static Self = &Self::NEW;

    fn unused() -> Self {
        Self::NEW
    }
}
