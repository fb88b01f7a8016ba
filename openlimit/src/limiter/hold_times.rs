//! `HoldTimes`: how long holds last: by how much each ends later than the provider asked for.
//!
//! Many limiters may be refused at the same moment: those of several processes without a shared
//! backend, or several of one program. If all of them began again at the same moment, the provider
//! would refuse most of them again. So each ends its holds a little later, by a part of the wait
//! that is its own. It is never earlier.
//!
//! The part is the same for all holds of one limiter. With another one for each refusal, many
//! refusals at a time would always end at the latest of their ends. Calls of one limiter need no
//! part of their own: the levels stand during a hold, so they leave one by one after it.

use std::collections::hash_map::{DefaultHasher, RandomState};
use std::hash::{BuildHasher, BuildHasherDefault};

use crate::time::Time;

/// A hold is prolonged by less than one part in so many: a sixteenth. OpenAI's Python client varies
/// its pauses by a quarter, for each call. Here one wait holds all calls of a limiter, so there are
/// fewer to spread, and the time is lost to all of them.
const PARTS: u64 = 16;

/// The longest prolongation, in nanoseconds: 1 s. It spreads a thousand limiters by a millisecond
/// each, and later than that gains nothing.
const MOST: u64 = 1_000_000_000;

/// Shorter waits are not prolonged, in nanoseconds: 100 ms. A provider asks for some milliseconds
/// if its count and ours differ by a little. No crowd waits for that.
const SHORTEST: u64 = 100_000_000;

/// How long the holds of one limiter last: by how much they are prolonged, as a fraction of 2^32.
#[derive(Clone, Copy, Debug)]
pub(super) struct HoldTimes(u32);

impl HoldTimes {
    /// Creates the times of a limiter. Its part is random. On the clocks of tests it follows from
    /// the name that the limiter was given, and is nothing without one.
    pub(super) fn new(given_name: Option<&str>, time: &Time) -> Self {
        let number = if matches!(time, Time::System) { random() } else { given_name.map_or(0, hash) };
        Self((number >> 32) as u32)
    }

    /// Returns for how long to hold if the provider asks for `wait`: prolonged, but for no more
    /// than the longest hold. A longer wait is cut off anyway, so it is cut off a little earlier.
    pub(super) fn of(self, wait: u64, longest: u64) -> u64 {
        if wait > longest {
            longest - self.part_of(longest)
        } else {
            longest.min(wait.saturating_add(self.part_of(wait)))
        }
    }

    fn part_of(self, wait: u64) -> u64 {
        if wait < SHORTEST {
            return 0;
        }
        let most = u128::from((wait / PARTS).min(MOST));
        ((most * u128::from(self.0)) >> u32::BITS) as u64
    }
}

/// Returns a random number. The standard library seeds its hash maps by one.
fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// Returns the hash of a name, which is always the same.
fn hash(name: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name)
}

#[cfg(test)]
mod tests {
    use super::{HoldTimes, MOST, hash, random};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_wait_is_prolonged_by_at_most_a_sixteenth_and_by_at_most_a_second() {
        for part in [0, 1, 1 << 31, u32::MAX] {
            let prolonged = |wait| HoldTimes(part).of(wait, u64::MAX);
            assert!((16 * SECOND..=17 * SECOND).contains(&prolonged(16 * SECOND)));
            assert!((SECOND..=SECOND + SECOND / 16).contains(&prolonged(SECOND)));
            assert!((600 * SECOND..=601 * SECOND).contains(&prolonged(600 * SECOND)));
            assert_eq!(prolonged(99_999_999), 99_999_999);
            assert!(prolonged(u64::MAX - MOST) >= u64::MAX - MOST);
            assert_eq!(prolonged(u64::MAX), u64::MAX);
        }
        assert_eq!(HoldTimes(1 << 31).of(16 * SECOND, u64::MAX), 16 * SECOND + SECOND / 2);
    }

    #[test]
    fn no_wait_is_longer_than_the_longest_and_those_that_are_cut_off_are_spread_too() {
        let half = |wait| HoldTimes(1 << 31).of(wait, 16 * SECOND);
        assert_eq!(half(16 * SECOND - 1), 16 * SECOND);
        assert_eq!(half(16 * SECOND), 16 * SECOND);
        assert_eq!(half(16 * SECOND + 1), 16 * SECOND - SECOND / 2);
        assert_eq!(half(u64::MAX), 16 * SECOND - SECOND / 2);
        assert_eq!(HoldTimes(u32::MAX).of(1, 0), 0);
    }

    #[test]
    fn limiters_differ() {
        assert_ne!(random(), random());
        assert_ne!(hash("chat") >> 32, hash("embeddings") >> 32);
    }
}
