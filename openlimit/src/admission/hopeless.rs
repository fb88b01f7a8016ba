//! Refuses waiters as soon as it is known that they cannot make their deadlines.
//!
//! On arrival a call is refused if its wait is known to be too long. Later the queue can move back:
//! by a debt, a hold, a cut rate, or calls of higher priorities. A waiter that is then bound to
//! miss its deadline would wait in vain, and keep the calls behind it waiting.
//!
//! The way to find out is to walk along the queue, and to add up what is asked ahead of each
//! waiter. That takes time in proportion to the queue, so
//!
//! - it is done only after such a change, and only if a waiter with a deadline joined before it;
//! - it looks at [`MOST_CHECKED`] waiters at most, and at none behind the last one with a deadline;
//! - after a long walk the next one has to rest (`checks`), so that walks take about 1 % of the
//!   time.
//!
//! A waiter that is refused leaves at once. If others have overtaken it, or were to, the order of
//! the rest may be another one without it. Then the walk begins again.
//!
//! What is found holds as things stand: a waiter is refused if it would be admitted too late even
//! if no other call joined, no other change came, and each call ahead of it departed that is not
//! refused as well. Such a call can still time out. The time that is known for it is a lower bound
//! if it waits for several limits, for a call in flight to end, or behind large calls of different
//! sizes. Without it, the waiter might have made its deadline, as it might after a refund. A call
//! that arrives is judged in the same way.

use std::task::Waker;

use super::Admission;
use crate::backend::{Buckets as _, HOLD};
use crate::bucket::Ahead;
use crate::queue::{Key, Refusals, Reserve, Waiter};

/// The most waiters that are checked at once: about 0.1 ms.
const MOST_CHECKED: usize = 4_096;

impl Admission {
    /// Adds a call to the queue. What moved the queue back before the first call with a deadline
    /// joined refuses none.
    pub(super) fn join(&mut self, call: Waiter) -> Key {
        if call.deadline() != u64::MAX && self.queue.deadlines() == 0 {
            let setbacks = self.setbacks();
            self.seldom.change().checks.skip(setbacks);
        }
        self.queue.join(call)
    }

    /// Refuses the waiters that cannot make their deadlines any more, if the queue has moved back
    /// since the last time.
    #[inline]
    pub(super) fn refuse_hopeless(&mut self, now: u64, wakers: &mut Vec<Waker>) {
        if self.queue.deadlines() == 0 {
            if let Some(seldom) = self.seldom.changed() {
                seldom.checks.rest();
            }
            return;
        }
        let setbacks = self.setbacks();
        if self.seldom.change().checks.is_due(setbacks, now) {
            self.check(setbacks, now, wakers);
        }
    }

    /// Returns how often the queue has moved back.
    fn setbacks(&self) -> u64 {
        self.backend.setbacks() + self.queue.setbacks()
    }

    #[cold]
    #[inline(never)]
    fn check(&mut self, setbacks: u64, now: u64, wakers: &mut Vec<Waker>) {
        let (mut checked, mut refused) = (0, 0);
        loop {
            let (refusals, is_done) = self.hopeless(&mut checked, now);
            refused += refusals.len();
            for (key, refusal) in refusals {
                self.turn_passes(key, now);
                self.refuse(key, refusal, wakers);
            }
            if is_done || checked >= MOST_CHECKED {
                break;
            }
        }
        self.seldom.change().checks.made(setbacks, checked, now);
        // The head may have been among them.
        if refused > 0 {
            self.pump(now, wakers);
        }
    }

    /// Finds waiters that cannot make their deadlines, and adds to `checked` how many it looked at.
    /// Returns false if the others have to be looked at again once these have left.
    fn hopeless(&self, checked: &mut usize, now: u64) -> (Refusals, bool) {
        let mut refusals = Refusals::new();
        let reserve = self.queue.reserve();
        // What is ahead of a call. Where a part is kept for some, that is less for them than for
        // the others, for which they need not wait.
        let mut ahead = [(), ()].map(|()| (vec![Ahead::default(); self.queue.dimensions()], (0, 0)));
        let mut left = self.queue.deadlines();
        let Some(mut walk) = self.queue.walk() else { return (refusals, true) };
        while left > 0 && *checked < MOST_CHECKED {
            let (all, before) = &ahead[1];
            let passes = |head: &Waiter, above: &Waiter| self.will_pass(head, above, all, before.0, now);
            let Some((key, waiter)) = walk.next(passes) else { break };
            *checked += 1;
            let has_deadline = waiter.deadline() != u64::MAX;
            let is_below = !reserve.is_any() || reserve.is_below(waiter.urgency.priority());
            let (asked, before) = &ahead[usize::from(is_below)];
            let own = self.backend.wait_behind(waiter.amounts.as_slice(), asked, now);
            // A hold is the reason for the wait, also of calls that go later.
            let (wait, limit) = if own.1 == HOLD { own } else { own.max(*before) };
            if has_deadline && wait > left_to(waiter, now) {
                refusals.push((key, waiter.timed_out(wait, limit, now)));
                if walk.was_overtaken() {
                    return (refusals, false);
                }
            } else {
                walk.departs();
                for (asked, before) in &mut ahead[usize::from(is_below)..] {
                    *before = (wait, limit);
                    for (sum, amount) in asked.iter_mut().zip(waiter.amounts.as_slice()) {
                        sum.add(*amount);
                    }
                }
            }
            left -= usize::from(has_deadline);
        }
        (refusals, true)
    }

    /// Returns true if a call above goes before a head below, after others have taken `ahead` and
    /// departed at `before`: it is due earlier, and the head waits for its share alone.
    fn will_pass(&self, head: &Waiter, above: &Waiter, ahead: &[Ahead], before: u64, now: u64) -> bool {
        if head.turn.is_kept() || above.turn.is_kept() {
            return above.turn.is_kept();
        }
        let wait = |amounts: &[u64]| self.backend.wait_behind(amounts, ahead, now).0;
        let due = wait(head.amounts.as_slice());
        due > before
            && wait(above.amounts.as_slice()) < due
            && wait(Reserve::without_share(&head.amounts, self.queue.dimensions()).as_slice()) < due
    }
}

/// Returns the time until a waiter's deadline.
fn left_to(waiter: &Waiter, now: u64) -> u64 {
    waiter.deadline().saturating_sub(now)
}
