//! `Concurrency`: how many calls may be in flight at a time.

use std::ops::RangeInclusive;

/// How many calls may be in flight at a time. Set by
/// [`Builder::concurrency`](crate::Builder::concurrency).
///
/// A `u32` converts into it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Concurrency {
    /// At most so many.
    Fixed(u32),

    /// A number within this range, which follows what the provider refuses: for providers that
    /// bound it and do not say to how much.
    ///
    /// It begins at the lower end, and grows by one with each success, which doubles it while every
    /// call is served once. From the first refusal on, it grows by one after as many successes as
    /// calls may be in flight, and after at least 20. A refusal cuts it to four fifths, but not
    /// below the lower end. Calls that were in flight then do not cut it again, however many of
    /// them are refused.
    ///
    /// - A *success* is a call whose permit is settled or dropped. A program that has nothing to
    ///   settle drops it after the reply. So if there is no reply, pass the error to
    ///   [`Permit::refused`](crate::Permit::refused). A success counts only while as many calls are
    ///   in flight as may be, since a limit that nobody uses has proved nothing. And it counts only
    ///   for a call that departed after the last cut, since earlier ones prove nothing about the
    ///   new number.
    /// - A *refusal* is passed to [`Permit::refused`](crate::Permit::refused), by `feedback` of the
    ///   attribute, or by an adapter: the rate limit, the traffic that grows too fast, or a
    ///   provider that is overloaded. It is not about concurrency if it names other limits, or
    ///   states that one of them has no room for the call.
    /// - Calls that are cancelled, or that failed for other reasons, change nothing.
    ///
    /// In a simulation with calls of 4 s, a provider that serves 32 calls at a time refuses 0.4 %
    /// of them, and 89 % of its places are used. If it serves 4, it is 4 % and 99 %.
    Adaptive(RangeInclusive<u32>),
}

impl Concurrency {
    /// Returns the least and the most calls that it allows.
    pub(crate) fn ends(&self) -> (u32, u32) {
        match self {
            Self::Fixed(calls) => (*calls, *calls),
            Self::Adaptive(range) => (*range.start(), *range.end()),
        }
    }
}

impl From<u32> for Concurrency {
    fn from(calls: u32) -> Self {
        Self::Fixed(calls)
    }
}
