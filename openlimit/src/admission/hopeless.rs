//! Refuses waiters as soon as it is known that they cannot make their deadlines.
//!
//! On arrival a call is refused if its wait is known to be too long. Later the queue can move back:
//! by a debt, a hold, a cut rate, or calls of higher priorities. A waiter that is then bound to miss
//! its deadline would wait in vain, and keep the calls behind it waiting.
//!
//! The way to find out is to walk along the queue, and to add up what is asked ahead of each waiter.
//! That takes time in proportion to the queue, so
//!
//! - it is done only after such a change, and only if a waiter has a deadline;
//! - it goes no further than the first [`MOST_CHECKED`] waiters, and the last one with a deadline;
//! - after a long walk the next one has to rest, so that walks take about 1 % of the time.
//!
//! What is found is exact as things stand: a waiter is refused if it would be admitted too late even
//! if no other call joined and no other change came. A refund might have helped it, and it might
//! not; a call that arrives is judged in the same way.

use std::task::Waker;

use super::Admission;
use crate::backend::{Buckets as _, HOLD};
use crate::queue::{Refusals, Waiter};

/// The most waiters that are checked at once: about 0.1 ms.
const MOST_CHECKED: usize = 4_096;

/// As many waiters are checked without a rest.
const SHORT_WALK: usize = 64;

/// The time to rest after a long walk, in nanoseconds for each waiter that was checked: a hundred
/// times as long as the walk takes.
const REST: u64 = 2_500;

/// What is known of the deadlines of waiters.
#[derive(Debug)]
pub(super) struct Checks {
    /// How often the queue had moved back at the last check.
    setbacks: u64,
    /// The time before which no check is made.
    not_before: u64,
    /// When the next check is due; the largest value if none is.
    pub(super) due: u64,
}

impl Default for Checks {
    fn default() -> Self {
        Self { setbacks: 0, not_before: 0, due: u64::MAX }
    }
}

impl Admission {
    /// Refuses the waiters that cannot make their deadlines any more, if the queue has moved back
    /// since the last time.
    #[inline]
    pub(super) fn refuse_hopeless(&mut self, now: u64, wakers: &mut Vec<Waker>) {
        self.checks.due = u64::MAX;
        if self.queue.deadline().is_some() {
            let setbacks = self.backend.setbacks() + self.queue.setbacks();
            if setbacks > self.checks.setbacks {
                self.check(setbacks, now, wakers);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn check(&mut self, setbacks: u64, now: u64, wakers: &mut Vec<Waker>) {
        if now < self.checks.not_before {
            self.checks.due = self.checks.not_before;
            return;
        }
        let (refusals, checked) = self.hopeless(now);
        let rest = checked.saturating_sub(SHORT_WALK) as u64 * REST;
        self.checks = Checks { setbacks, not_before: now.saturating_add(rest), due: u64::MAX };
        if refusals.is_empty() {
            return;
        }
        for (key, refusal) in refusals {
            self.refuse(key, refusal, wakers);
        }
        // The head may have been among them.
        self.pump(now, wakers);
    }

    /// Finds the waiters that cannot make their deadlines. Returns how many it looked at, too.
    fn hopeless(&self, now: u64) -> (Refusals, usize) {
        let mut refusals = Refusals::new();
        let mut ahead = vec![0_u128; self.queue.dimensions()];
        let mut left = self.queue.deadlines();
        let (mut before, mut checked) = ((0, 0), 0);
        for (key, waiter) in self.queue.iter().take(MOST_CHECKED) {
            let has_deadline = waiter.deadline() != u64::MAX;
            let own = self.backend.wait_behind(waiter.amounts.as_slice(), &ahead, now);
            // A hold is the reason for the wait, also of calls that go later.
            let (wait, limit) = if own.1 == HOLD { own } else { own.max(before) };
            if has_deadline && wait > left_to(waiter, now) {
                refusals.push((key, waiter.timed_out(wait, limit, now)));
            } else {
                before = (wait, limit);
                for (sum, amount) in ahead.iter_mut().zip(waiter.amounts.as_slice()) {
                    *sum += u128::from(*amount);
                }
            }
            checked += 1;
            left -= usize::from(has_deadline);
            if left == 0 {
                break;
            }
        }
        (refusals, checked)
    }
}

/// Returns the time until a waiter's deadline.
fn left_to(waiter: &Waiter, now: u64) -> u64 {
    waiter.deadline().saturating_sub(now)
}
