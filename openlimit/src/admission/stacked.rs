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

/// For how long a call keeps its turns in outer queues if it loses that in an inner one, in
/// nanoseconds: 0.1 s. That is enough for the small debt of a call that used more than it had
/// reserved.
const PATIENCE: u64 = 100_000_000;

/// Over a store, it is this part of the time that the call has waited, if that is longer: one in so
/// many. What a store grants expires, and the next grant may be due later than [`PATIENCE`].
/// Without this, a call could lose its turns in one queue after the other, for ever.
const PATIENCE_PART: u64 = 4;

/// The longest such time, in nanoseconds: 1 s.
const MOST_PATIENCE: u64 = 1_000_000_000;

/// The most round trips until a store says when it is the turn of a call. A batch may be in flight
/// when the call asks.
const TRIPS: u64 = 2;

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

    /// Adds a call to the queue. It reports when it is its turn, which may be at once. `trip` is
    /// the longest round trip to the stores of its other limiters.
    pub(crate) fn join_stacked(
        &mut self,
        call: Waiter,
        trip: u64,
        now: u64,
        wakers: &mut Vec<Waker>,
    ) -> Result<Key, Refusal> {
        self.pump(now, wakers);
        if let Some(refusal) = self.foresee(&call, now) {
            return Err(refusal);
        }
        let late_by = self.late_by(trip);
        let key = self.join(Waiter { turn: Turn::REPORTS, late_by, ..call });
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

    /// Returns since when the call of this key is due, if it is its turn. That is no earlier than the
    /// moment at which the call before it was charged or left.
    pub(crate) fn turn(&mut self, key: Key, now: u64) -> Option<Due> {
        if self.exhausted(now).is_some() {
            return None;
        }
        let (head, due) = self.head_due(now)?;
        let since = self.seldom.get().since;
        (head == key && due.at <= now).then(|| Due { at: due.at.max(since), ..due })
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

    /// If it is not the turn of this call any more, lets it report again: when it is due, if that
    /// is known, or else once the store has granted it anew. Returns true if it is not its turn.
    pub(crate) fn retract(&mut self, key: Key, trip: u64, now: u64) -> bool {
        let is_over = self.turn(key, now).is_none();
        if is_over {
            let due = self.due_of(key, now);
            let Some(waiter) = self.queue.waiter(key) else { return true };
            let patience = self.patience(waiter, now);
            let lasts = self.backend.lasts();
            let has_lapsed = due == Some(u64::MAX)
                && lasts < u64::MAX
                && !self.is_saturated()
                && !self.backend.is_shut(now);
            // What has lapsed lasts twice as long the next time.
            let twice = lasts.saturating_add(waiter.late_by.saturating_mul(2));
            let longer = if has_lapsed { twice.min(patience) } else { waiter.late_by };
            let (late_by, is_known) = (self.late_by(trip).max(longer), due.is_some_and(|at| at < u64::MAX));
            self.queue.retract(key, now.saturating_add(patience), !is_known, late_by);
        }
        is_over
    }

    /// Returns how much later than others a call may depart, at least, that asks another store
    /// meanwhile. Zero if what is granted lasts for long enough anyway.
    fn late_by(&self, trip: u64) -> u64 {
        if trip > self.backend.lasts() { trip } else { 0 }
    }

    /// Returns when a call is due, if it goes next. The largest value stands for a moment that is
    /// not known, because a store has to grant it.
    fn due_of(&mut self, key: Key, now: u64) -> Option<u64> {
        self.head_due(now).filter(|(head, _)| *head == key).map(|(_, due)| due.at)
    }

    /// Returns true if it may soon be the turn again of a call that was the head before.
    ///
    /// Not if it has lost its patience, however soon that is: others may go before it since then.
    /// If one of them waited for the turn of this call elsewhere, both would wait for ever.
    pub(crate) fn is_turn_near(&mut self, key: Key, now: u64) -> bool {
        let due = self.due_of(key, now).unwrap_or(u64::MAX);
        let Some(waiter) = self.queue.waiter(key) else { return true };
        let is_near =
            waiter.turn.is_kept() && self.wait_of_head(waiter, due, now) <= self.patience(waiter, now);
        is_near && !self.backend.is_exhausted() && !self.is_saturated()
    }

    /// Returns a lower bound on the wait of a call that goes next. `due` is when it is due, or the
    /// largest value if that is not known.
    fn wait_of_head(&self, head: &Waiter, due: u64, now: u64) -> u64 {
        match due {
            u64::MAX => self.backend.wait_of_next(head.amounts.as_slice(), now).0,
            due => due.saturating_sub(now),
        }
    }

    /// Returns for how long a call keeps its turns in outer queues.
    fn patience(&self, call: &Waiter, now: u64) -> u64 {
        let least = PATIENCE.max(self.backend.round_trip().saturating_mul(TRIPS));
        if self.backend.lasts() == u64::MAX || self.backend.is_shut(now) {
            return least;
        }
        least.max((call.waited(now) / PATIENCE_PART).min(MOST_PATIENCE))
    }

    /// Tells the head, which waits in other queues, too, if it is its turn. Returns when to look
    /// again.
    pub(super) fn wait_for_turn(&mut self, key: Key, due: Due, now: u64, wakers: &mut Vec<Waker>) -> u64 {
        let Some(waiter) = self.queue.waiter(key) else { return due.at };
        // It reports so much earlier, to ask other stores before it is due.
        let is_early = matches!(waiter.turn, Turn::Reports { is_early: true, .. });
        let lead = if is_early { waiter.late_by.min(self.patience(waiter, now)) } else { 0 };
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
