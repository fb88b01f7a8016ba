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
    /// The time in nanoseconds until the limit resets, if it does.
    pub(crate) resets_in: Option<u64>,
}

impl Look {
    /// Returns how it looks during a hold that ends in `rest` nanoseconds. A bucket does not leak
    /// until then, but a limit that resets does so.
    pub(crate) fn on_hold(self, rest: u64) -> Self {
        if rest == 0 {
            return self;
        }
        let full_in = match self.resets_in {
            Some(_) => self.full_in.max(rest),
            None => self.full_in.saturating_add(rest),
        };
        Self { available: 0, full_in, ..self }
    }
}
