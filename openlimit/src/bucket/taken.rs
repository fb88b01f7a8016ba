//! `Count`: what was taken of a limit that resets, in the window of now and in the last few before
//! it.
//!
//! The earlier ones count again if the clock is set back into them (see `resetting`).

use super::word::narrow;
use crate::limits::Window;

/// The number of earlier windows that are remembered, in case that the clock is set back.
const EARLIER: usize = 4;

/// The number of no window.
const NONE: i64 = i64::MIN;

/// What was taken in one window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    pub(super) window: Window,
    pub(super) taken: u64,
    /// The highest amount that was in force in it before the one now. Zero if there was no other.
    pub(super) highest: u64,
    /// The last windows before it in which anything was taken; the latest last.
    earlier: [Earlier; EARLIER],
    /// The number of its first charge, once there was one.
    pub(super) first: Option<u64>,
    /// The last charge before the provider's count replaced ours. Charges up to it cannot be
    /// refunded.
    pub(super) replaced: u64,
}

/// What was taken in an earlier window.
#[derive(Clone, Copy, Debug)]
struct Earlier {
    /// The number of the window; [`NONE`] stands for no window.
    number: i64,
    /// How much of it is not owed any more.
    gone: u64,
    /// How much of that was no debt of the window.
    fitted: u64,
}

impl Count {
    /// The count before the first window.
    pub(super) const NOTHING: Self = Self {
        window: Window { number: NONE, begins: i64::MIN, ends: i64::MIN },
        taken: 0,
        highest: 0,
        earlier: [Earlier { number: NONE, gone: 0, fitted: 0 }; EARLIER],
        first: None,
        replaced: 0,
    };

    /// Returns the count of the same window, of which nothing is taken, nor of those before.
    pub(super) fn emptied(self) -> Self {
        Self { window: self.window, ..Self::NOTHING }
    }

    /// Returns true if a charge was in this window.
    pub(super) fn contains(&self, charge: u64) -> bool {
        self.first.is_some_and(|first| charge >= first)
    }

    /// Moves on to another window, or back to an earlier one, of a limit of which `allowed` may be
    /// taken in each.
    pub(super) fn moved_to(self, window: Window, allowed: u64) -> Self {
        let passed = window.number.saturating_sub(self.window.number);
        let mut earlier = self.earlier;
        if passed > 0 {
            let later = u128::from(allowed) * u128::from(passed.unsigned_abs() - 1);
            let back = later.saturating_add(self.back(allowed).into());
            let owed = self.taken.saturating_sub(narrow(back));
            if self.taken > 0 {
                earlier.rotate_left(1);
                let (gone, fitted) = (self.taken - owed, self.taken.min(self.back(allowed)));
                earlier[EARLIER - 1] = Earlier { number: self.window.number, gone, fitted };
            }
            return Self { window, taken: owed, earlier, ..Self::NOTHING };
        }
        let (mut taken, mut highest) = (self.taken, self.highest);
        for earlier in earlier.iter_mut().filter(|earlier| earlier.number >= window.number) {
            taken = taken.saturating_add(earlier.gone);
            highest = highest.max(earlier.fitted);
            earlier.number = NONE;
        }
        Self { window, taken, highest, earlier, ..self }
    }

    /// Returns the amount that the next reset brings back, if `allowed` is the amount in force.
    pub(super) fn back(&self, allowed: u64) -> u64 {
        self.highest.max(allowed)
    }
}
