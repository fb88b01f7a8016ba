//! `Burst`: how much may be taken at once after an idle time.

use std::time::Duration;

/// How much of a limit may be taken at once after an idle time. See
/// [`Builder::burst`](crate::Builder::burst).
///
/// A [`Duration`] converts into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Burst {
    /// The amount of the rate in this time.
    Time(Duration),
    /// As much as the provider's own bucket was seen to hold.
    ///
    /// It begins with one second of the rate. Each response that is
    /// [observed](crate::Permit::observe) says how much is left. The most that was ever left, less
    /// a cushion of one second of the rate or 15 % of it, whichever is less, is how much the bucket
    /// may hold from then on. It is never more than the limit's amount, and shrinks only if an
    /// [update](crate::Limiter::update) lowers that: by as large a part.
    ///
    /// Limits that are [counted in windows](crate::Builder::counting) keep their default burst.
    ///
    /// It is right for providers whose buckets refill continuously. One that counts in fixed
    /// windows may refuse calls: what is left at the end of a window may be taken just before and
    /// just after it.
    Observed,
}

impl From<Duration> for Burst {
    fn from(time: Duration) -> Self {
        Self::Time(time)
    }
}
