//! `InWindow`: what a window of a limit that resets still admits.
//!
//! The rule of `resetting`, apart from clocks and from where the count lives. So a backend that
//! keeps counts elsewhere follows it, too.

use super::look::Look;

/// The state of one window at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InWindow {
    /// The amount that was taken.
    pub(crate) taken: u64,
    /// The amount of a window in force: at least one.
    pub(crate) allowed: u64,
    /// The amount that the next reset brings back: at least that, and more if a higher amount was
    /// in force in this window.
    pub(crate) back: u64,
    /// The most that one call may take.
    pub(crate) most: u64,
    /// True if the window is so near to its end that no call departs.
    pub(crate) is_ending: bool,
}

impl InWindow {
    /// Returns whether a call of `amount` can be admitted.
    pub(crate) fn fits(&self, amount: u64) -> bool {
        amount == 0 || amount <= self.most && self.resets_before(amount, 0) == 0
    }

    /// Returns for how many resets a call of `amount` waits, after other calls have taken `ahead`.
    /// It is a lower bound if anything is ahead. The amount is not zero.
    pub(crate) fn resets_before(&self, amount: u64, ahead: u128) -> u128 {
        let [taken, allowed, back] = [self.taken, self.allowed, self.back].map(u128::from);
        let weight = u128::from(amount).min(allowed);
        let asked = |taken: u128| taken.saturating_add(ahead).saturating_add(weight);
        if !self.is_ending && asked(taken) <= allowed {
            0
        } else if self.is_ending || ahead == 0 || taken >= allowed {
            // Nothing of this window is used any more.
            asked(taken.saturating_sub(back)).div_ceil(allowed)
        } else {
            asked(taken).saturating_sub(back).div_ceil(allowed).max(1)
        }
    }

    /// Returns the state as users see it. `full_in` is the wait of the largest call, and `part`
    /// that of the declared amount which is in force.
    pub(crate) fn look(&self, resets_in: u64, full_in: u64, part: (u128, u128)) -> Look {
        let available = match self.taken {
            _ if self.is_ending => 0,
            0 => self.most.max(self.allowed),
            taken => self.allowed.saturating_sub(taken),
        };
        let is_full = self.taken == 0 && !self.is_ending;
        Look {
            available: available.min(self.most),
            at_once: self.allowed,
            debt: self.taken.saturating_sub(self.back),
            full_in: if is_full { 0 } else { full_in },
            part,
            resets_in: Some(resets_in),
        }
    }
}

/// Returns true if a response is about the window that resets in `rest`, by the time until the
/// reset that it states, in nanoseconds.
///
/// The provider's clock may differ from ours. Of two neighbouring windows, the one is meant whose
/// end is nearer to the stated reset.
pub(crate) fn is_about(stated: Option<u64>, rest: u64, length: u64) -> bool {
    stated.is_none_or(|time| time.abs_diff(rest) <= length / 2)
}
