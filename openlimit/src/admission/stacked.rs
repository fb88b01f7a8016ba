//! Calls of several limiters, which depart when all of them admit them: the part of one limiter.
//!
//! Such a call waits in this queue as every other call does. When it is its turn, it is not
//! charged: it is told, and stays the head. Once it is its turn in all queues, they are locked
//! together, and it departs from all of them. `limiter/stack` brings the limiters together.

use std::task::Waker;

use super::Admission;
use crate::backend::{Buckets as _, Due, UNNUMBERED};
use crate::limits::Priority;
use crate::queue::{Grant, Key, Outcome, Refusal, Turn, Waiter};

/// The longest time for which a call keeps its turns in outer queues while an inner one, in which
/// it was its turn before, is not ready again, in nanoseconds: 0.1 s, or a round trip if that takes
/// longer. That is also enough for the small debt of a call that used more than it had reserved.
/// Calls behind it wait for so long at most.
const PATIENCE: u64 = 100_000_000;

impl Admission {
    /// Returns true if a call can depart at `now`: no call waits that it has to wait for, every
    /// limit has room, and one more may be in flight. Completes what it takes.
    pub(crate) fn has_room(&mut self, grant: &mut Grant, priority: Priority, now: u64) -> bool {
        self.price(grant, priority);
        self.may_pass(priority, now)
            && !self.is_saturated()
            && self.backend.has_room(grant.amounts.as_slice(), now)
    }

    /// Charges a call for which there is [room](Self::has_room), under the same lock: it departs.
    pub(crate) fn take_room(&mut self, grant: &mut Grant, priority: Priority, now: u64) {
        grant.charge = self.take_past(grant.amounts.as_slice(), now).unwrap_or(UNNUMBERED);
        self.queue.overtaken_by(priority);
        grant.flight = self.depart();
    }

    /// Returns the refusal of a call that is not in the queue, if it is known that it would be
    /// refused now or would have to wait for too long.
    pub(crate) fn foresee(&mut self, call: &Waiter, now: u64) -> Option<Refusal> {
        if let Some(refusal) = self.exhausted(now) {
            self.backend.refresh(now);
            return Some(refusal);
        }
        if call.timeout() == u64::MAX {
            return None;
        }
        let (wait, limit) = self.backend.wait(call, &self.queue, now);
        let too_long = || call.timed_out(wait, limit, now);
        let refusal = match call.deadline().saturating_sub(now) {
            0 if wait > 0 => self.saturated(call.waited(now), now).or_else(|| Some(too_long())),
            left => (wait > left).then(too_long),
        };
        if refusal.is_some() {
            self.backend.refresh(now);
        }
        refusal
    }

    /// Returns the refusal of a call that may not wait, for which there is no room.
    pub(crate) fn without_room(&mut self, call: &Waiter, now: u64) -> Refusal {
        if let Some(refusal) = self.exhausted(now) {
            self.backend.refresh(now);
            return refusal;
        }
        self.would_wait(call, now)
    }

    /// Adds a call to the queue. It reports when it is its turn, which may be at once.
    pub(crate) fn join_stacked(
        &mut self,
        call: Waiter,
        now: u64,
        wakers: &mut Vec<Waker>,
    ) -> Result<Key, Refusal> {
        self.pump(now, wakers);
        if let Some(refusal) = self.foresee(&call, now) {
            return Err(refusal);
        }
        let key = self.join(Waiter { turn: Turn::REPORTS, ..call });
        self.pump(now, wakers);
        Ok(key)
    }

    /// Counts a call that has joined among those that wait, for this limiter or for another one.
    /// Refuses one call if too many wait. If it is this one, it still has to [leave](Self::leave).
    ///
    /// The call is not counted as it joins. It departs at once if it is its turn in all limiters.
    pub(crate) fn wait_stacked(
        &mut self,
        key: Key,
        now: u64,
        wakers: &mut Vec<Waker>,
    ) -> Result<(), Refusal> {
        self.shed(key, now, wakers).map_or(Ok(()), Err)
    }

    /// Returns since when the call of this key is due, if it is its turn.
    pub(crate) fn turn(&mut self, key: Key, now: u64) -> Option<Due> {
        if self.exhausted(now).is_some() {
            return None;
        }
        let (head, due) = self.head_due(now)?;
        (head == key && due.at <= now).then_some(due)
    }

    /// Lets the call of this key depart, whose [turn](Self::turn) it is.
    pub(crate) fn depart_stacked(&mut self, key: Key, due: Due, now: u64) -> Option<Grant> {
        // It needs no waking: it is here.
        self.admit(key, due, now, &mut Vec::new());
        match self.queue.leave(key).1 {
            Some(Outcome::Admitted(grant)) => Some(grant),
            _ => None,
        }
    }

    /// Notes that it is not the turn of this call after all. It reports again: when it is due, if
    /// that is known.
    pub(crate) fn retract(&mut self, key: Key, now: u64) {
        let is_known = self.due_of(key, now) < u64::MAX;
        self.queue.retract(key, now.saturating_add(self.patience()), !is_known);
    }

    /// Returns when a call is due, if it goes next; the largest value if that is not known, because a
    /// store has to grant it.
    fn due_of(&mut self, key: Key, now: u64) -> u64 {
        self.head_due(now).filter(|(head, _)| *head == key).map_or(u64::MAX, |(_, due)| due.at)
    }

    /// Returns the time until it can be the turn of this call, at least. A store takes a round trip
    /// to say when that is.
    pub(crate) fn turn_in(&mut self, key: Key, now: u64) -> u64 {
        self.due_of(key, now).saturating_sub(now).min(self.backend.round_trip())
    }

    /// Asks the store again for the turn of this call, if that would be over in less than `within`:
    /// the time that another limiter takes. So it has the turns of both at about the same time.
    pub(crate) fn renew(&mut self, key: Key, within: u64, now: u64) {
        let waiter = self.queue.waiter(key).filter(|waiter| waiter.turn == Turn::Reported);
        let Some(amounts) = waiter.map(|waiter| waiter.amounts.clone()) else { return };
        self.backend.drop_lapsing(amounts.as_slice(), now.saturating_add(within), now);
        if self.turn(key, now).is_none() {
            self.retract(key, now);
        }
    }

    /// Returns true if it may soon be the turn again of a call that was the head before.
    pub(crate) fn is_turn_near(&mut self, key: Key, now: u64) -> bool {
        let due = self.due_of(key, now);
        let wait = self.queue.waiter(key).map_or(0, |waiter| self.wait_of_head(waiter, due, now));
        !self.backend.is_exhausted() && !self.is_saturated() && wait <= self.patience()
    }

    /// Returns a lower bound on the wait of a call that goes next, of which it may be known when it is
    /// due.
    fn wait_of_head(&self, head: &Waiter, due: u64, now: u64) -> u64 {
        match due {
            u64::MAX => self.backend.wait_of_next(head.amounts.as_slice(), now).0,
            due => due.saturating_sub(now),
        }
    }

    /// Returns [`PATIENCE`], or a round trip: the call may have reported that early.
    fn patience(&self) -> u64 {
        PATIENCE.max(self.backend.round_trip())
    }

    /// Tells the head, which waits in other queues, too, if it is its turn. Returns when to look
    /// again.
    pub(super) fn wait_for_turn(&mut self, key: Key, due: Due, now: u64, wakers: &mut Vec<Waker>) -> u64 {
        let Some(waiter) = self.queue.waiter(key) else { return due.at };
        // Other stores take a round trip to say if it is its turn there. If the turn here does not
        // last for so long, they are asked before.
        let trip = self.backend.round_trip();
        let is_early = matches!(waiter.turn, Turn::Reports { is_early: true, .. });
        let lead = if is_early && trip > self.backend.lasts() { trip } else { 0 };
        let at = due.at.saturating_sub(lead);
        match waiter.turn {
            Turn::Reported => return u64::MAX,
            Turn::Reports { .. } if at <= now => {
                wakers.extend(self.queue.report(key));
                return u64::MAX;
            }
            Turn::Reports { patience, .. } if patience < u64::MAX => {
                let wait = self.wait_of_head(waiter, due.at, now);
                if now.saturating_add(wait) > patience || self.is_saturated() {
                    wakers.extend(self.queue.lose_patience(key));
                }
            }
            Turn::Reports { .. } | Turn::Departs => {}
        }
        at
    }
}
