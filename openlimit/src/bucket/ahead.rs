//! `Ahead`: what calls take from a limit before another one goes.
//!
//! Their number counts, too: before each call that does not fit into the burst, the bucket has to
//! be empty for a pause. See `due`.

use std::iter::Sum;

/// What calls take before another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// The sum of their amounts.
    pub(crate) amount: u128,
    /// How many of them take anything.
    pub(crate) calls: u64,
}

impl Ahead {
    /// Adds a call.
    pub(crate) fn add(&mut self, amount: u64) {
        self.amount += u128::from(amount);
        self.calls += u64::from(amount > 0);
    }

    /// Removes a call that was added.
    pub(crate) fn subtract(&mut self, amount: u64) {
        self.amount -= u128::from(amount);
        self.calls -= u64::from(amount > 0);
    }

    /// Returns the least that is left without the calls that take `amount` together.
    #[allow(dead_code, reason = "for backends that grant ahead")]
    pub(crate) fn without(self, amount: u128) -> Self {
        let calls = u64::try_from(amount).unwrap_or(u64::MAX);
        Self { amount: self.amount.saturating_sub(amount), calls: self.calls.saturating_sub(calls) }
    }
}

impl From<u64> for Ahead {
    fn from(amount: u64) -> Self {
        Self { amount: amount.into(), calls: u64::from(amount > 0) }
    }
}

impl Sum for Ahead {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            amount: sum.amount + one.amount,
            calls: sum.calls + one.calls,
        })
    }
}
