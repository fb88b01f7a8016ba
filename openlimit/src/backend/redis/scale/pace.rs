//! The rate that the provider allows, and the pace: the part of that rate that is used for now.
//!
//! Both are parts of the declared rate ([`ONE`]). A slower pace makes calls heavier, as a headroom
//! does, because the leak is that of all clients.

use super::{ONE, Scale, clamp};
use crate::bucket::SLOWEST;

impl Scale {
    /// Changes the rate to `allowed` of what was `declared`, but to no less than an eighth, and to
    /// no more than declared unless the limit is open.
    pub(crate) fn set_rate(&mut self, allowed: u64, declared: u64) {
        self.rate = self.rate_of(allowed, declared);
        self.fit_to_rate();
    }

    /// Returns the rate that [`set_rate`](Self::set_rate) sets.
    pub(crate) fn rate_of(&self, allowed: u64, declared: u64) -> u64 {
        let rate = u128::from(allowed) * u128::from(ONE) / u128::from(declared.max(1));
        u64::try_from(rate).unwrap_or(u64::MAX).clamp(ONE / SLOWEST, self.most_rate)
    }

    /// Lets a window of a limit that resets be used as far as the rate allows. The rate is rounded
    /// down, so the amount is rounded to the nearest.
    fn fit_to_rate(&mut self) {
        if let Some(amount) = self.window {
            let fit = (u128::from(amount) * u128::from(self.rate) + u128::from(ONE / 2)) / u128::from(ONE);
            (self.fit, self.burst) = (clamp(fit.max(1)), clamp(fit.max(1)));
        }
    }

    /// Sets the pace to a part of the rate. A limit that resets has none.
    ///
    /// `since` is the number of the last charge; the largest value if a batch is in flight.
    pub(crate) fn set_pace(&mut self, (part, of): (u64, u64), since: u64) {
        if self.resets() {
            return;
        }
        let pace = u128::from(self.rate) * u128::from(part) / u128::from(of.max(1));
        let pace = u64::try_from(pace).unwrap_or(u64::MAX).max(1);
        if pace < self.pace {
            (self.fastest, self.since) = (self.fastest.max(self.pace), since);
        }
        self.pace = pace;
    }

    /// Returns the rate that the provider allows, in parts of the declared one ([`ONE`]).
    pub(crate) fn rate(&self) -> u64 {
        self.rate
    }

    /// Returns true if calls weigh more than by the rate that the provider allows.
    pub(crate) fn is_slow(&self) -> bool {
        self.pace < self.rate
    }

    /// Returns the scale at the pace of the limit before it was changed.
    pub(crate) fn at_pace_of(self, before: &Self) -> Self {
        let Self { rate, pace, fastest, since, .. } = *before;
        let mut scale = Self { rate, pace, fastest, since, ..self };
        scale.fit_to_rate();
        scale
    }

    /// Notes the last charge of the batch that was in flight when the rate changed.
    pub(crate) fn decided(&mut self, charges: u64) {
        self.since = self.since.min(charges);
    }
}
