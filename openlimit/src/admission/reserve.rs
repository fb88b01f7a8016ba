//! Keeps a part of every limit for calls of a high priority.
//!
//! Calls below that priority are also metered by a smaller bucket for each limit, their *share* of
//! it (`queue::Reserve` says how). Only they fill it. So however many of them there are, the rest
//! of the limit is left to the others.
//!
//! # A head that waits for its share
//!
//! Usually the head of the queue holds up all others. A call of a high priority goes before lower
//! ones, unless one of them is owed its turn. If that one waits for its share alone, it must not
//! hold up calls that take nothing from it. So those pass it, until the limits themselves are what
//! it waits for. By then they have delayed it by one call at most.
//!
//! # Charges that were granted ahead
//!
//! A store grants charges for a moment ahead. A call below that has one departs then, although a
//! call above waits for a later moment, or for the store: it does not delay that one any more.
//!
//! Neither of two calls passes the other once the other has had its turn: it may be a call of
//! several limiters, which keeps its turn while it waits for another one. Otherwise each could wait
//! for the other, in two queues.

use std::task::Waker;

use super::Admission;
use crate::backend::{Buckets as _, Due};
use crate::limits::{Amounts, Priority};
use crate::queue::{Grant, Key, Reserve, Turn, Waiter};

impl Admission {
    /// Keeps a part of every limit for some priorities.
    pub(crate) fn reserving(self, reserve: Reserve) -> Self {
        Self { queue: self.queue.reserving(reserve), ..self }
    }

    /// Sets what a call of this priority takes from its share.
    pub(crate) fn fill_share(&self, amounts: &mut Amounts, priority: Priority) {
        self.queue.reserve().fill(amounts, priority, self.queue.dimensions());
    }

    /// Completes what a call takes that arrives: by what was learned about its site, and by what it
    /// takes from its share.
    pub(crate) fn price(&self, grant: &mut Grant, priority: Priority) {
        if let Some(lesson) = &grant.lesson {
            self.reserve(lesson, &mut grant.amounts);
        }
        self.fill_share(&mut grant.amounts, priority);
        grant.is_below = self.queue.reserve().is_below(priority);
    }

    /// Returns the call that goes next, and when it is due.
    pub(super) fn head_due(&mut self, now: u64) -> Option<(Key, Due)> {
        self.reprice(1);
        let (key, head) = self.queue.head()?;
        let is_below = self.queue.reserve().is_below(head.urgency.priority());
        if !is_below && self.backend.is_granted_below() {
            return self.due_or_granted(key, now);
        }
        let above = if is_below { self.queue.head_above() } else { None };
        if let Some((above, _)) = above.filter(|(_, above)| above.turn.is_kept()) {
            return self.due(above, now);
        }
        let passing = above.filter(|_| self.lets_pass(head, now)).map(|(key, _)| key);
        let head = self.due(key, now)?;
        let passing = passing.filter(|_| head.1.at > now).and_then(|key| self.due(key, now));
        Some(passing.filter(|passing| passing.1.at < head.1.at).unwrap_or(head))
    }

    /// Returns the call that goes next, and when it is due: the head, which is one above, or a call
    /// below whose charge was granted for an earlier moment.
    fn due_or_granted(&mut self, head: Key, now: u64) -> Option<(Key, Due)> {
        let is_kept = self.queue.waiter(head)?.turn.is_kept();
        let may_depart = |below: &Waiter| !is_kept && below.turn == Turn::Departs && self.takes_share(below);
        let below = self.queue.head_below().filter(|(_, below)| may_depart(below));
        let below = below.map(|(key, _)| key).and_then(|key| self.due(key, now));
        let head = self.due(head, now)?;
        Some(below.filter(|below| below.1.at < head.1.at).unwrap_or(head))
    }

    /// Admits a call now that does not wait, if no call waits that it has to wait for.
    pub(super) fn pass(&mut self, call: &Waiter, now: u64, wakers: &mut Vec<Waker>) -> Option<Grant> {
        let priority = call.urgency.priority();
        if !self.may_pass(priority, now) {
            return None;
        }
        let charge = self.take_past(call.amounts.as_slice(), now)?;
        self.queue.overtaken_by(priority);
        let flight = self.depart();
        // It may be the turn of a lower call now, which is due.
        self.pump(now, wakers);
        Some(Grant { flight, ..Grant::at_once(call.amounts.clone(), charge) })
    }

    /// Returns true if no call waits that one of this priority has to wait for.
    pub(super) fn may_pass(&self, priority: Priority, now: u64) -> bool {
        let Some((_, head)) = self.queue.head() else { return true };
        !self.queue.reserve().is_below(priority)
            && self.queue.head_above().is_none()
            && self.lets_pass(head, now)
    }

    /// Returns true if the head waits for its share alone.
    fn lets_pass(&self, head: &Waiter, now: u64) -> bool {
        self.queue.reserve().is_below(head.urgency.priority())
            && !head.turn.is_kept()
            && self.backend.waits_for_share(head.amounts.as_slice(), now)
    }

    /// Returns true if a call below takes anything from its share. One of nothing does not.
    fn takes_share(&self, below: &Waiter) -> bool {
        let shares = self.queue.dimensions() / 2;
        below.amounts.as_slice()[shares..].iter().any(|amount| *amount > 0)
    }

    /// Returns when a waiter is due that may go next.
    fn due(&mut self, key: Key, now: u64) -> Option<(Key, Due)> {
        let waiter = self.queue.waiter(key)?;
        let due = self.backend.due(waiter, now).unwrap_or(Due { at: u64::MAX, limit: 0 });
        let due = self.due_in_flight(due);
        Some((key, Due { at: due.at.max(waiter.arrived), ..due }))
    }
}
