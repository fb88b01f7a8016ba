//! `Bounds`: the longest wait and the highest level that a server can reply with.
//!
//! A wait stops a call until it is over, so a reply must not stop calls for longer than the limits
//! could. This derives how long that is. All is in nanoseconds, as in `scale`.
//!
//! Let `drain` be the largest sum, over all limits, of the burst and of the weight of the largest
//! call that may be made. `build` refuses limits for which it is not below [`MOST`].
//!
//! 1. Debts have no other bound than [`MOST`]: a call may turn out to have used any amount, and any
//!    client may have charged it. So at the beginning of a batch each level is at most `MOST`. The
//!    script cuts it there.
//! 2. The script grants calls until one of them departs beyond the look-ahead. If a call departs
//!    within the look-ahead, the levels after it are at most `look-ahead + drain`: a call that fits
//!    leaves at most its own moment and the burst, and one that does not fit finds an empty bucket
//!    at its moment and leaves its own weight. The look-ahead is at most `MOST`, too: settings are
//!    cut there, and four round trips are no 52 days.
//! 3. So before each call of the batch the levels are at most `MOST + drain`. The moment that all
//!    limits are charged for is at most as late as the highest of these levels, or as the slot of
//!    the call before. A call that does not fit waits for the longest pause, too.
//! 4. By the same argument as in 2, the levels after the last call are at most that moment and
//!    `drain`.
//!
//! During a hold, calls are granted once it ends within the look-ahead. They wait for the rest of
//! it, too, which is no minute.
//!
//! So a queue may be as long as it wants to: its calls beyond the look-ahead are not granted yet.
//!
//! Example: for 100 requests per second with a burst of 1 s, `drain` is 2 s. Waits are at most 52
//! days 3 hours, nearly all of which is the allowance for debts.

use std::time::Duration;

use super::scale::MOST;
use super::wire::BatchReply;
use crate::error::short;

/// A minute, in nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// The largest numbers in replies to one limiter, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The time in which all buckets drain after the largest call into a full bucket.
    pub(super) drain: u64,
    wait: u64,
    level: u64,
}

impl Bounds {
    /// Creates the bounds from `drain`, as above, and the longest pause before a large call.
    pub(super) fn new(drain: u64, pause: u64) -> Self {
        Self { drain, wait: MOST + drain + pause + MINUTE, level: MOST + 2 * drain }
    }

    /// Checks a reply.
    ///
    /// # Errors
    /// Returns what is wrong with the reply.
    pub(super) fn check(&self, reply: &BatchReply) -> Result<(), String> {
        let wait = reply.calls.iter().map(|call| call.wait).max().unwrap_or(0);
        let level = reply.buckets.iter().map(|bucket| bucket.level);
        within("wait", wait, self.wait)?;
        within("level", level.max().unwrap_or(0), self.level)
    }
}

fn within(what: &str, found: u64, most: u64) -> Result<(), String> {
    if found <= most {
        return Ok(());
    }
    let [found, most] = [found, most].map(|time| short(Duration::from_nanos(time)));
    Err(format!("it replied with a {what} of {found}, expected at most {most}"))
}

#[cfg(test)]
mod tests {
    use super::{Bounds, MINUTE};
    use crate::backend::redis::scale::MOST;
    use crate::backend::redis::wire::{BatchReply, BucketReply, Decision};

    fn reply(wait: u64, level: u64) -> BatchReply {
        BatchReply {
            buckets: vec![BucketReply { level, ..BucketReply::default() }],
            calls: vec![Decision { wait, limit: None, granted: true }],
            ..BatchReply::default()
        }
    }

    #[test]
    fn the_longest_wait_and_the_highest_level_are_within_the_bounds_and_more_is_not() {
        let bounds = Bounds::new(2_000_000_000, 25_000_000);
        let (wait, level) = (MOST + 2_025_000_000 + MINUTE, MOST + 4_000_000_000);
        assert_eq!(bounds.check(&reply(wait, level)), Ok(()));
        let text = |problem: &str| Err(problem.to_owned());
        assert_eq!(
            bounds.check(&reply(wait + 3_600_000_000_000, level)),
            text("it replied with a wait of 52d 5h, expected at most 52d 4h")
        );
        assert_eq!(
            bounds.check(&reply(wait, level + 3_600_000_000_000)),
            text("it replied with a level of 52d 5h, expected at most 52d 4h")
        );
        assert!(bounds.check(&reply(wait + 1, 0)).is_err());
        assert!(bounds.check(&reply(0, level + 1)).is_err());
    }
}
