//! `pump`: admits the waiters that are due, and refuses those whose time is over.
//!
//! # When a waiter is charged
//!
//! A timer fires late, by some 0.1 ms or, on a busy machine, by much more. A call that was due at
//! `d` and is admitted at `now` is charged as of
//!
//! ```text
//! max(d, now - grace)
//! ```
//!
//! The charge is dated back to `d`, so that late timers cost no throughput: the next call is due as
//! if this one had left in time. But a process that was suspended for ten seconds must not catch up
//! on ten seconds of the limit at once. So it is dated back by at most `grace`, half of the
//! limiter's jitter. Such a call departs up to `grace` after its charge, and half of the jitter
//! that the buckets keep back covers that. The other half is left to the network. A call that
//! leaves no room for jitter in the burst is due later instead, as `due` of the module `bucket`
//! explains.
//!
//! The limits that a call takes from may have had room for it long before its turn, while a call
//! before it waited for another limit. Then it does not depart late, and is not dated back: `d` is
//! no earlier than the moment at which the call before it was charged or left. Nor is it earlier
//! than a refund or another change that lets the call go.
//!
//! For example, a limit admits one call every 300 ms, with a jitter of 50 ms. A call due at 250 ms
//! is admitted at 260 ms and charged as of 250 ms, so the next one is due at 550 ms. If the timer
//! fires only at 900 ms, the call is charged as of 875 ms, and the next one is due at 1175 ms.

use std::task::Waker;

use super::Admission;
use super::seldom::Seldom;
use crate::backend::{Buckets as _, Due};
use crate::queue::{Grant, Key, Outcome, Refusal, Turn, Wait};

impl Admission {
    /// Admits all waiters that are due at `now`, in order, and refuses those whose timeout ended.
    pub(crate) fn pump(&mut self, now: u64, wakers: &mut Vec<Waker>) {
        self.note_room(now);
        loop {
            let (due, limit) = self.admit_due(now, wakers);
            self.set_due(due, limit);
            if !self.expire_all(due, now, wakers) {
                break;
            }
        }
        self.queue.note_long_waits(now, wakers);
        self.refuse_hopeless(now, wakers);
        self.wake_landed(wakers);
        self.wake_announced(now, wakers);
        if self.queue.is_empty() {
            self.backend.idle(now);
        }
    }

    /// Notes that a head which was not known to be due before `now` is due now at the earliest. A
    /// refund or a change may have let it go, and a limit that resets does not say since when.
    fn note_room(&mut self, now: u64) {
        let due = self.seldom.get().due;
        if due > now && due < u64::MAX {
            let seldom = self.seldom.change();
            seldom.since = seldom.since.max(now);
        }
    }

    /// Admits all waiters that are due at `now`, in order. Returns when the next one is, and what
    /// it waits for.
    fn admit_due(&mut self, now: u64, wakers: &mut Vec<Waker>) -> (u64, Option<usize>) {
        loop {
            let Some((key, _)) = self.queue.head() else { return (u64::MAX, None) };
            if let Some(refusal) = self.exhausted(now) {
                self.refuse(key, refusal, wakers);
                continue;
            }
            let Some((key, due)) = self.head_due(now) else { return (u64::MAX, None) };
            let head = self.queue.waiter(key).map(|head| (head.deadline(), head.turn));
            let (deadline, turn) = head.unwrap_or((u64::MAX, Turn::Departs));
            // A call that was due before its deadline is admitted, even if this thread comes late.
            if deadline < due.at.min(now.saturating_add(1)) {
                self.expire(key, due.at, now, wakers);
            } else if turn != Turn::Departs {
                let limit = self.waited_for(due, now);
                return (self.wait_for_turn(key, due, now, wakers), Some(limit));
            } else if due.at <= now {
                self.admit(key, due, now, wakers);
            } else {
                return Self::known(due);
            }
        }
    }

    /// Refuses all waiters whose timeout ended. Returns true if there were some: another call may
    /// be due then.
    ///
    /// A call that is due at its deadline has departed before. Only if the head is one of several
    /// limiters, which departs after this, the call behind it is refused at the deadline itself.
    fn expire_all(&mut self, head_due: u64, now: u64, wakers: &mut Vec<Waker>) -> bool {
        let mut has_expired = false;
        while let Some((deadline, key)) = self.queue.deadline()
            && deadline <= now
        {
            self.expire(key, head_due, now, wakers);
            has_expired = true;
        }
        has_expired
    }

    /// Refuses a waiter, if it still waits.
    pub(crate) fn refuse(&mut self, key: Key, refusal: Refusal, wakers: &mut Vec<Waker>) {
        wakers.extend(self.queue.finish(key, |_| Outcome::Refused(refusal)));
    }

    /// Returns when to pump again: when the head is due or that time has to be computed anew, the
    /// first timeout ends, deadlines have to be checked or a wait becomes long. `None` if none of
    /// them is known to happen.
    pub(crate) fn next(&self) -> Option<u64> {
        let deadline = self.queue.deadline().map_or(u64::MAX, |(deadline, _)| deadline);
        let Seldom { due, checks, .. } = self.seldom.get();
        let next = deadline.min(*due).min(checks.due()).min(self.queue.next_long_wait());
        let next = if self.queue.is_empty() { next } else { next.min(self.backend.due_changes()) };
        Some(next).filter(|next| *next != u64::MAX)
    }

    /// Returns the number of waiters, and when the first of them is due, if that is known.
    pub(crate) fn waiting(&self) -> (usize, Option<u64>) {
        (self.queue.len(), Some(self.seldom.get().due).filter(|due| *due != u64::MAX))
    }

    /// Notes when the head is due, and what it waits for.
    pub(super) fn set_due(&mut self, due: u64, waits_for: Option<usize>) {
        if (due, waits_for) != (self.seldom.get().due, self.seldom.get().waits_for) {
            let seldom = self.seldom.change();
            (seldom.due, seldom.waits_for) = (due, waits_for);
        }
    }

    /// Returns when a call is due, and what it waits for, if that is known.
    pub(super) fn known(due: Due) -> (u64, Option<usize>) {
        (due.at, (due.at < u64::MAX).then_some(due.limit))
    }

    /// Returns what the head waited for last, which is due at `due`.
    ///
    /// If it is due since a change at `now`, such as a refund, or since the call before it
    /// departed, all its limits have room from that moment on. Then it waited for what was noted
    /// until then: what it was known to wait for, or what the call before it waited for.
    fn waited_for(&self, due: Due, now: u64) -> usize {
        let Seldom { waits_for, since, .. } = self.seldom.get();
        let decides = *since < due.at && due.at != now;
        waits_for.filter(|_| !decides).unwrap_or(due.limit)
    }

    /// Admits the head, which was due at `due`.
    pub(super) fn admit(&mut self, key: Key, due: Due, now: u64, wakers: &mut Vec<Waker>) {
        let Some(waiter) = self.queue.waiter(key) else { return };
        let (limit, since) = (self.waited_for(due, now), self.seldom.get().since);
        let at = due.at.max(now.saturating_sub(self.policy.grace)).max(since);
        let seldom = self.seldom.change();
        (seldom.since, seldom.waits_for) = (at, Some(limit));
        let is_below = self.queue.reserve().is_below(waiter.urgency.priority());
        let charge = self.backend.charge(&waiter.amounts, at, now);
        if let Some(remaining) = &mut self.remaining {
            remaining.charge(waiter.amounts.as_slice(), charge, now);
        }
        let is_probe = self.departs(charge, now);
        let flight = self.depart();
        wakers.extend(self.queue.finish(key, |waiter| {
            let wait = Wait { nanos: waiter.waited(now), limit, position: waiter.position };
            // A call that goes before all that wait may be admitted as it joins.
            let wait = Some(wait).filter(|wait| wait.nanos > 0);
            let (amounts, lesson) = (waiter.amounts.take(), waiter.lesson.take());
            Outcome::Admitted(Grant { amounts, lesson, charge, flight, wait, is_probe, is_below })
        }));
    }

    /// Refuses a waiter whose timeout ended. `head_due` is when the head is due; the largest value
    /// while that is not known.
    pub(super) fn expire(&mut self, key: Key, head_due: u64, now: u64, wakers: &mut Vec<Waker>) {
        let Some(waiter) = self.queue.waiter(key) else { return };
        let (saturated, deadline) = (self.saturated(waiter.waited(now), now), waiter.deadline());
        // Nobody knows when a head departs that waits for another limiter.
        let head_due = if head_due == u64::MAX { 0 } else { head_due };
        let refusal = saturated.unwrap_or_else(|| self.backend.expire(waiter, &self.queue, head_due, now));
        self.turn_passes(key, deadline.min(now));
        self.refuse(key, refusal, wakers);
    }

    /// Notes that a call leaves the queue at a moment, which lets the one behind the head be the
    /// head.
    pub(super) fn turn_passes(&mut self, key: Key, at: u64) {
        if self.queue.head().is_some_and(|(head, _)| head == key) {
            let seldom = self.seldom.change();
            seldom.since = seldom.since.max(at);
        }
    }
}
