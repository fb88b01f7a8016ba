//! `Look`: a bucket as users see it.
//!
//! A level counts weight, which means nothing outside of `bucket`. These are amounts and times.

/// A bucket at one moment, as users see it.
pub(crate) struct Look {
    /// The largest amount that could be taken.
    pub(crate) available: u64,
    /// The amount that fits at once if the level is zero: the burst, less the jitter.
    pub(crate) at_once: u64,
    /// The amount by which the level exceeds the burst, rounded up.
    pub(crate) debt: u64,
    /// The time in nanoseconds until everything is available again: until the level is zero and
    /// the pause before the largest call is over.
    pub(crate) full_in: u64,
    /// The part of the declared rate at which it leaks, as a fraction. It may be above one.
    pub(crate) part: (u128, u128),
}

impl Look {
    /// Returns how it looks during a hold that ends in `rest` nanoseconds, for a bucket that does
    /// not leak until then.
    pub(crate) fn on_hold(self, rest: u64) -> Self {
        if rest == 0 {
            return self;
        }
        Self { available: 0, full_in: self.full_in.saturating_add(rest), ..self }
    }
}
