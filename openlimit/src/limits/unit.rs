//! `Unit`: the periods that have a name.

use std::fmt;
use std::time::Duration;

/// The period of a [`Rate`](crate::Rate), named as in [`limiter!`](crate::limiter): the `minute` of
/// `200 / minute`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unit {
    period: Duration,
    /// True if rates over it reset by the calendar.
    resets: bool,
}

// Lower case, because `limiter!` turns the word after the slash into `Unit::word`.
#[allow(non_upper_case_globals)]
impl Unit {
    /// One second.
    pub const second: Self = Self::seconds(1);
    /// 60 seconds.
    pub const minute: Self = Self::seconds(60);
    /// 3 600 seconds.
    pub const hour: Self = Self::seconds(3_600);
    /// 86 400 seconds on the monotonic clock, not a calendar day: see
    /// [`Rate::resets_at`](crate::Rate::resets_at).
    pub const day: Self = Self::seconds(86_400);
    /// A calendar month: see [`Rate::per_month`](crate::Rate::per_month).
    pub const month: Self = Self { resets: true, ..Self::seconds(31 * 86_400) };

    const fn seconds(seconds: u64) -> Self {
        Self { period: Duration::from_secs(seconds), resets: false }
    }

    /// Returns the unit as a period: for a month, the longest one.
    pub(super) const fn period(self) -> Duration {
        self.period
    }

    /// Returns true if rates over it reset by the calendar.
    pub(super) const fn resets(self) -> bool {
        self.resets
    }

    /// Returns the name of the unit of a rate, if it has one. A rate over a month always resets.
    pub(super) fn name_of(period: Duration, has_resets: bool) -> Option<&'static str> {
        let name = |resets| Self { period, resets }.name();
        name(false).or_else(|| name(true).filter(|_| has_resets))
    }

    /// Returns its name; `None` if it is none of the above.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::second => Some("second"),
            Self::minute => Some("minute"),
            Self::hour => Some("hour"),
            Self::day => Some("day"),
            Self::month => Some("month"),
            _ => None,
        }
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "Unit::{name}"),
            None => write!(f, "Unit({:?})", self.period),
        }
    }
}
