//! `Reported`: what responses said about one limit so far, and the amount that was found by trying.

use crate::bucket::FASTEST;

/// A rate that is found by trying grows by one part in so many, once in this time in nanoseconds:
/// by 10 % a second. A tenfold limit is found within half a minute, and exceeded by a few calls.
const GROWS_BY: u64 = 10;
const GROWS_EVERY: u64 = 1_000_000_000;

/// What responses reported about one limit so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reported {
    /// The most that was ever left. Less by as much as the declared amount was lowered since: the
    /// provider's bucket is probably smaller, too.
    pub(super) most: u64,
    /// The declared amount.
    declared: u64,
    /// The latest call whose response was read, by its order.
    pub(super) latest: u64,
    /// The amount that the provider allows, if it says so.
    pub(super) limit: Option<u64>,
    /// The amount that was found by trying, and when it last grew; zeros if it never did.
    found: u64,
    grown_at: u64,
    /// What the last response said is left, if it did, and when that was read.
    pub(super) said: Option<(Option<u64>, u64)>,
}

impl Reported {
    /// Creates it for a limit with this declared amount.
    pub(super) fn of(declared: u64) -> Self {
        Self { declared, ..Self::default() }
    }

    pub(super) fn has_any(&self) -> bool {
        self.most > 0 || self.latest > 0 || self.rate().is_some()
    }

    pub(super) fn rate(&self) -> Option<u64> {
        self.limit.or(Some(self.found).filter(|found| *found > 0))
    }

    /// Notes that another amount is declared than before. What was found by trying counts only
    /// beyond it.
    pub(super) fn declare(&mut self, declared: u64) {
        if declared < self.declared {
            let most = u128::from(self.most) * u128::from(declared) / u128::from(self.declared);
            self.most = u64::try_from(most).unwrap_or(self.most);
        }
        self.declared = declared;
        if self.found <= declared {
            (self.found, self.grown_at) = (0, 0);
        }
    }

    /// Returns the amount to try next of a limit of which the provider does not say what it allows:
    /// a tenth more, once a second. `None` if it is not yet time for that.
    ///
    /// `in_force` returns the amount by which the rate goes now. If it is more than this process
    /// has tried, another one has, and it is that one's turn: so many processes grow no faster than
    /// one.
    pub(super) fn grow(&mut self, declared: u64, in_force: impl FnOnce() -> u64, now: u64) -> Option<u64> {
        if self.limit.is_some() || (self.grown_at > 0 && now.saturating_sub(self.grown_at) < GROWS_EVERY) {
            return None;
        }
        self.grown_at = now;
        let (found, in_force) = (self.found.max(declared), in_force());
        if in_force > found {
            self.found = in_force;
            return None;
        }
        self.found = found.saturating_add((found / GROWS_BY).max(1)).min(declared.saturating_mul(FASTEST));
        Some(self.found)
    }
}
