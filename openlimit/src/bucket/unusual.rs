//! `Unusual`: the states of a bucket that few limits have.
//!
//! The code of nearly every call is that of the usual state. What is here is apart from it, in
//! memory and in code.

use super::ahead::Ahead;
use super::level::Level;
use super::resetting::Resetting;

/// A state that few limits have.
#[derive(Debug)]
pub(crate) enum Unusual {
    /// A level of 128 bits.
    Wide(Level<u128>),
    /// That of a limit that resets by the calendar.
    Resetting(Resetting),
}

/// None of these is inlined, so that they take no registers from the usual state.
impl Unusual {
    #[inline(never)]
    pub(super) fn fits(&self, amount: u64, now: u64) -> bool {
        match self {
            Self::Wide(level) => level.step(amount, now).is_some(),
            Self::Resetting(count) => count.fits(amount, now),
        }
    }

    #[inline(never)]
    pub(super) fn take(&mut self, amount: u64, charge: u64, now: u64) {
        match self {
            Self::Wide(level) => level.charge(amount, charge, now),
            Self::Resetting(count) => count.charge(amount, charge, now),
        }
    }

    #[inline(never)]
    pub(super) fn due(&self, amount: u64, ahead: Ahead, now: u64) -> u64 {
        match self {
            Self::Wide(level) => level.due(amount, ahead, now),
            Self::Resetting(count) => count.due(amount, ahead.amount, now),
        }
    }
}
