//! `Resets`: the time of day, and the time zone, at which a limit resets.
//!
//! Every error carries a rate, and a rate is copied freely. So its texts are kept once for the life
//! of the program, and a rate has their number. Programs have few of them.

use std::fmt;
use std::sync::{PoisonError, RwLock};

/// When a limit resets, as the program wrote it. `calendar` checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resets {
    /// The time of day: `00:00`.
    pub(crate) time: &'static str,
    /// The time zone: `America/Los_Angeles`.
    pub(crate) zone: &'static str,
}

/// Midnight in UTC, at which months begin unless a rate says otherwise. Its number is zero.
const MIDNIGHT: Resets = Resets { time: "00:00", zone: "UTC" };

/// All others that were ever used, by their number less one.
static OTHERS: RwLock<Vec<Resets>> = RwLock::new(Vec::new());

impl Resets {
    /// The number of midnight in UTC.
    pub(super) const MIDNIGHT: u32 = 0;

    /// Returns the number of a time and a zone, which is the same for equal texts.
    pub(super) fn number(time: &str, zone: &str) -> u32 {
        let is_same = |known: &Self| (known.time, known.zone) == (time, zone);
        if is_same(&MIDNIGHT) {
            return Self::MIDNIGHT;
        }
        let mut others = OTHERS.write().unwrap_or_else(PoisonError::into_inner);
        let place = others.iter().position(is_same).unwrap_or_else(|| {
            others.push(Self { time: forever(time), zone: forever(zone) });
            others.len() - 1
        });
        u32::try_from(place + 1).unwrap_or(u32::MAX)
    }

    /// Returns the time and the zone of a number.
    pub(super) fn of(number: u32) -> Self {
        let place = (number as usize).checked_sub(1);
        let others = OTHERS.read().unwrap_or_else(PoisonError::into_inner);
        place.and_then(|place| others.get(place).copied()).unwrap_or(MIDNIGHT)
    }
}

/// Keeps a text for the life of the program.
fn forever(text: &str) -> &'static str {
    Box::leak(text.into())
}

/// Shows them as a rate does: `resets at 00:00 America/Los_Angeles`.
impl fmt::Display for Resets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resets at {} {}", self.time, self.zone)
    }
}
