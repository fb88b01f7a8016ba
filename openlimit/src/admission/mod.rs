//! The rules of admission: which call is admitted next, and when.
//!
//! # The rules
//!
//! - **All or nothing.** A call takes its amounts from all limits at once, or from none. This is
//!   the work of [`Backend`], which holds the buckets.
//! - **Strictly in order.** While a call waits, no other one is admitted before it, however small.
//!   Otherwise small calls would keep the buckets too full for a large one, for ever.
//! - **The queue decides when.** Only the head of the queue waits for the buckets. The others wait
//!   for the head. So no call is given a time on arrival, and a change affects all of them: a
//!   refund or a waiter that leaves moves them forward, and debt moves them back. After each such
//!   change, [`pump`](Admission::pump) admits the waiters that are due and computes when the next
//!   head is.
//! - **A part for urgent calls.** A part of every limit can be kept for a priority (`reserve`).
//! - **So many in flight.** Where the number of calls in flight is limited, the head also waits for
//!   one of them to end (`in_flight`).
//! - **Known failures are early.** A call whose wait is known to be longer than its timeout is
//!   refused, on arrival or when the queue moves back later (`hopeless`). While a quota of the
//!   provider is used up, all calls are (`exhausted`).
//!
//! # When a waiting call is charged
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
//! leaves no room for jitter in the burst is due later instead, as `bucket` explains.
//!
//! The limits that a call takes from may have had room for it long before its turn, while a call
//! before it waited for another limit. Then it does not depart late, and is not dated back: `d` is
//! no earlier than the moment at which the call before it was charged or left.
//!
//! For example, a limit admits one call every 300 ms, with a jitter of 50 ms. A call due at 250 ms
//! is admitted at 260 ms and charged as of 250 ms, so the next one is due at 550 ms. If the timer
//! fires only at 900 ms, the call is charged as of 875 ms, and the next one is due at 1175 ms.
//!
//! # Testing
//!
//! This module contains only state and arithmetic. The time is an argument, and wakers are
//! collected for the caller. So all of it can be tested without threads and clocks. `limiter`
//! guards it with a lock. What never changes is in [`Plan`], outside of the lock.

mod announced;
mod as_new;
mod changes;
mod checks;
mod exhausted;
mod flights;
mod full;
mod hopeless;
mod in_flight;
mod learned;
mod long_wait;
mod plan;
mod policy;
mod probes;
mod remaining;
mod reserve;
mod returned;
mod seldom;
mod stacked;
mod waiting;

use std::sync::Arc;
use std::task::Waker;

use crate::backend::{Backend, Buckets, Due, Look};
use crate::bucket::{FASTEST, SLOWEST};
use crate::error::StoreStatus;
use crate::limits::{Dimension, Rate};
use crate::queue::{Grant, Key, Outcome, Queue, Refusal, Turn, Wait, Waiter};

use self::flights::CONCURRENCY;
pub(crate) use self::full::Cap;
pub(crate) use self::long_wait::LongWait;
pub(crate) use self::plan::{Plan, Raises};
pub(crate) use self::policy::Policy;
use self::remaining::Remaining;
pub(crate) use self::remaining::Standing;
pub use self::returned::Returned;
use self::seldom::Seldom;
pub(crate) use self::seldom::{Lazily, Unused};
pub(crate) use self::waiting::OnWait;
pub use self::waiting::{WaitReason, Waiting};

/// The buckets and the queue of one limiter.
///
/// The fields that every call reads come first, in the cache line of the lock.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Admission {
    pub(crate) backend: Backend,
    pub(crate) queue: Queue,
    /// The contents of responses. `None` before the first one.
    remaining: Option<Box<Remaining>>,
    policy: Arc<Policy>,
    seldom: Lazily<Seldom>,
    /// What settled calls gave back, by the place of each limit. Empty before the first.
    returned: Box<[Returned]>,
}

/// The decision about a call that arrived. A refusal is an `E`.
#[derive(Debug)]
pub(crate) enum Decided<E> {
    /// It is admitted, with the number of its charge.
    Admitted(u64),
    /// It waits, under this key.
    Waits(Key),
    Refused(E),
}

impl Admission {
    /// Creates the admission of a new limiter.
    pub(crate) fn new(backend: Backend, queue: Queue, policy: Arc<Policy>) -> Self {
        Self { backend, queue, remaining: None, policy, seldom: Lazily::default(), returned: Box::default() }
    }

    /// Admits a call at `now`, if no call waits, every limit has room, and the driver does not have
    /// to be called. Returns the number of its charge.
    #[inline(always)]
    pub(crate) fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        if !self.queue.is_empty() {
            return None;
        }
        let charge = self.backend.take_quickly(amounts, now);
        if self.remaining.is_some() {
            self.note(amounts, charge, now);
        }
        charge
    }

    /// Does the same although calls wait. The driver may have to be called then.
    fn take_past(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        let charge = self.backend.take(amounts, now);
        if self.remaining.is_some() {
            self.note(amounts, charge, now);
        }
        charge
    }

    /// Notes what was charged, for what responses say.
    #[cold]
    #[inline(never)]
    fn note(&mut self, amounts: &[u64], charge: Option<u64>, now: u64) {
        if let (Some(remaining), Some(charge)) = (&mut self.remaining, charge) {
            remaining.charge(amounts, charge, now);
        }
    }

    /// Believes what a response says about some limits. `charge` is that of its call; `None` if it
    /// is taken for the latest.
    pub(crate) fn observe(&mut self, plan: &Plan, said: &[Standing], charge: Option<u64>, now: u64) {
        let remaining = self.remaining.get_or_insert_with(|| Remaining::of(plan));
        for Standing { place, limit, remaining: amount, resets_in } in said.iter().copied() {
            let rate = plan.limits()[place].rate();
            let declared = rate.amount();
            remaining.note_said(place, amount, now);
            let allowed = |limit| plan.raised(limit, declared);
            let before = remaining.allowed(place, plan);
            if let Some(limit) = limit {
                remaining.note_limit(place, limit);
                if allowed(limit) != before || self.backend.differs(place, allowed(limit), declared) {
                    self.backend.set_rate(place, allowed(limit), declared, now);
                }
            }
            let rate = Rate::new(limit.map_or(before, allowed), rate.period());
            let of = (place, plan.dimensions()[place]);
            let all = charge.and_then(|charge| self.backend.granted_since(place, charge));
            if let Some(amount) = amount
                && self.backend.is_meant(place, charge, resets_in, now)
                && let Some(left) = remaining.left(of, rate, amount, charge, all)
            {
                if self.policy.widens >> place & 1 == 1 {
                    self.backend.widen(place, remaining.held(place, rate));
                }
                self.backend.cap(place, left, now);
            }
        }
        said.iter().for_each(|standing| self.learn_rate(plan, standing.place));
    }

    /// Raises the rate of the limit that the head waits for, unless the provider has said what it
    /// allows, the limit was refused lately, or it resets or is one on money. For a response that
    /// is no refusal.
    pub(crate) fn probe(&mut self, plan: &Plan, now: u64) {
        let Some((_, Due { limit, .. })) = self.head_due(now).filter(|(_, due)| due.limit < CONCURRENCY)
        else {
            return;
        };
        let (dimension, rate) = (plan.limits()[limit].dimension(), plan.limits()[limit].rate());
        if *dimension == Dimension::Spend || rate.has_resets() {
            return;
        }
        let declared = rate.amount();
        if self.backend.climbs(limit, now) {
            return;
        }
        let remaining = self.remaining.get_or_insert_with(|| Remaining::of(plan));
        let in_force = || {
            let (part, of) = self.backend.look(now)[limit].part;
            u64::try_from(u128::from(declared).saturating_mul(part) / of.max(1)).unwrap_or(u64::MAX)
        };
        if let Some(allowed) = remaining.grow(limit, declared, in_force, now) {
            self.backend.set_rate(limit, allowed, declared, now);
            self.learn_rate(plan, limit);
        }
    }

    /// Returns true if a response has said anything about a limit.
    pub(crate) fn has_observed(&self) -> bool {
        self.remaining.as_ref().is_some_and(|remaining| remaining.has_reports())
    }

    /// Returns how many nanoseconds ago a call was admitted. Zero if that is not known: calls are
    /// noted from the first refusal on, or from the first response that states a limit.
    pub(crate) fn age(&mut self, plan: &Plan, charge: u64, now: u64) -> u64 {
        let remaining = self.remaining.get_or_insert_with(|| Remaining::of(plan));
        remaining.admitted_at(charge).map_or(0, |at| now.saturating_sub(at))
    }

    /// Returns the amount by which the rate of a limit goes, before it is cut after a refusal.
    pub(crate) fn allowed(&self, place: usize, plan: &Plan) -> u64 {
        let declared = plan.limits()[place].rate().amount();
        let allowed = self.remaining.as_ref().map_or(declared, |remaining| remaining.allowed(place, plan));
        allowed.clamp(declared.div_ceil(SLOWEST), declared.saturating_mul(FASTEST))
    }

    /// Returns what the last response that described a limit said is left, if it did, and when that
    /// was read.
    pub(crate) fn provider_said(&self, place: usize) -> Option<(Option<u64>, u64)> {
        self.remaining.as_ref().and_then(|remaining| remaining.said(place))
    }

    /// Returns the amount that the provider allows of a limit, if it has said so.
    pub(crate) fn provider_limit(&self, place: usize) -> Option<u64> {
        self.remaining.as_ref().and_then(|remaining| remaining.limit(place))
    }

    /// Decides about a call that may wait, which [`take`](Self::take) did not admit at the same
    /// moment. It joins the queue, unless it is known that it would wait for too long.
    pub(crate) fn arrive(&mut self, call: Waiter, now: u64, wakers: &mut Vec<Waker>) -> Decided<Refusal> {
        if self.backend.is_exhausted() {
            return self.arrive_exhausted(call, now, wakers);
        }
        if self.in_flight().is_some() {
            return self.arrive_in_flight(call, now, wakers);
        }
        // It may be smaller than the call that was next, and those that it overtakes may not be
        // able to make their deadlines any more.
        let overtakes = !self.queue.goes_last(&call);
        let makes_room = overtakes || self.is_full() || self.waits_too_long(&call, now).is_some();
        if makes_room && !self.queue.is_empty() {
            // Waiters may be due already, with a timer that is about to fire. They go first.
            self.pump(now, wakers);
        }
        if (makes_room || self.queue.is_empty())
            && let Some(charge) = self.pass(&call, now, wakers)
        {
            return Decided::Admitted(charge);
        }
        if let Some(refusal) = self.waits_too_long(&call, now) {
            return Decided::Refused(refusal);
        }
        let key = self.queue.join(call);
        if overtakes {
            self.pump(now, wakers);
        } else if self.queue.head().is_some_and(|(head, _)| head == key) {
            let due = self.head_due(now).map_or(u64::MAX, |(_, due)| due.at);
            self.set_due(due);
        }
        self.or_shed(key, now, wakers)
    }

    /// Refuses a call that may not wait, which [`take`](Self::take) did not admit at the same
    /// moment. Admits it if waiters that are due make room, or if only the driver has to be called.
    pub(crate) fn refuse_now(
        &mut self,
        call: &Waiter,
        now: u64,
        wakers: &mut Vec<Waker>,
    ) -> Result<Grant, Refusal> {
        if self.backend.is_exhausted() {
            return self.probe_now(call, now, wakers);
        }
        if !self.queue.is_empty() {
            self.pump(now, wakers);
        }
        if !self.is_saturated()
            && let Some(charge) = self.pass(call, now, wakers)
        {
            return Ok(Grant { flight: self.depart(), ..Grant::at_once(call.amounts.clone(), charge) });
        }
        Err(self.would_wait(call, now))
    }

    /// Returns the refusal of a call that would have to wait and may not.
    fn would_wait(&mut self, call: &Waiter, now: u64) -> Refusal {
        self.saturated(0, now).unwrap_or_else(|| self.backend.would_wait(call, &self.queue, now))
    }

    /// Returns the refusal of a call whose wait is known to be longer than its timeout.
    fn waits_too_long(&self, call: &Waiter, now: u64) -> Option<Refusal> {
        let timeout = call.timeout();
        if timeout == u64::MAX {
            return None;
        }
        let (wait, limit) = self.backend.wait(call, &self.queue, now);
        // A timeout of zero does not even wait for the timer to fire.
        (wait > timeout || timeout == 0).then(|| call.timed_out(wait, limit, now))
    }

    /// Admits all waiters that are due at `now`, in order, and refuses those whose timeout ended.
    pub(crate) fn pump(&mut self, now: u64, wakers: &mut Vec<Waker>) {
        loop {
            let due = self.admit_due(now, wakers);
            self.set_due(due);
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

    /// Admits all waiters that are due at `now`, in order. Returns when the next one is.
    fn admit_due(&mut self, now: u64, wakers: &mut Vec<Waker>) -> u64 {
        loop {
            let Some((key, _)) = self.queue.head() else { return u64::MAX };
            if let Some(refusal) = self.exhausted(now) {
                self.refuse(key, refusal, wakers);
                continue;
            }
            let Some((key, due)) = self.head_due(now) else { return u64::MAX };
            let head = self.queue.waiter(key).map(|head| (head.deadline(), head.turn));
            let (deadline, turn) = head.unwrap_or((u64::MAX, Turn::Departs));
            // A call that was due before its deadline is admitted, even if this thread comes late.
            if deadline < due.at.min(now.saturating_add(1)) {
                self.expire(key, due.at, now, wakers);
            } else if turn != Turn::Departs {
                return self.wait_for_turn(key, due, now, wakers);
            } else if due.at <= now {
                self.admit(key, due, now, wakers);
            } else {
                return due.at;
            }
        }
    }

    /// Refuses all waiters whose timeout ended. Returns true if there were some: another call may
    /// be due then.
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

    /// Notes when the head is due.
    fn set_due(&mut self, due: u64) {
        if due != self.seldom.get().due {
            self.seldom.change().due = due;
        }
    }

    /// Returns the state of each limit at `now`, and the state of the store, if there is one.
    ///
    /// Of a limit that may be higher than declared, it shows no more than the amount in force,
    /// although a single call may be larger.
    pub(crate) fn look(&self, plan: &Plan, now: u64) -> (Vec<Look>, Option<StoreStatus>) {
        let mut looks = self.backend.look(now);
        if plan.raises() > Raises::Never {
            for (place, look) in looks.iter_mut().enumerate() {
                look.available = look.available.min(self.allowed(place, plan).max(look.at_once));
            }
        }
        (looks, self.backend.store())
    }

    /// Admits the head, which was due at `due`.
    fn admit(&mut self, key: Key, due: Due, now: u64, wakers: &mut Vec<Waker>) {
        let Some(waiter) = self.queue.waiter(key) else { return };
        let since = self.seldom.get().since;
        let at = due.at.max(now.saturating_sub(self.policy.grace)).max(since);
        self.seldom.change().since = at;
        let is_below = self.queue.reserve().is_below(waiter.urgency.priority());
        let charge = self.backend.charge(&waiter.amounts, at, now);
        if let Some(remaining) = &mut self.remaining {
            remaining.charge(waiter.amounts.as_slice(), charge, now);
        }
        let is_probe = self.departs(charge, now);
        let flight = self.depart();
        wakers.extend(self.queue.finish(key, |waiter| {
            let wait = Wait { nanos: waiter.waited(now), limit: due.limit, position: waiter.position };
            let (amounts, lesson) = (waiter.amounts.take(), waiter.lesson.take());
            Outcome::Admitted(Grant { amounts, lesson, charge, flight, wait: Some(wait), is_probe, is_below })
        }));
    }

    /// Refuses a waiter whose timeout ended. `head_due` is when the head is due.
    fn expire(&mut self, key: Key, head_due: u64, now: u64, wakers: &mut Vec<Waker>) {
        let Some(waiter) = self.queue.waiter(key) else { return };
        let (saturated, deadline) = (self.saturated(waiter.waited(now), now), waiter.deadline());
        let refusal = saturated.unwrap_or_else(|| self.backend.expire(waiter, &self.queue, head_due, now));
        self.turn_passes(key, deadline.min(now));
        self.refuse(key, refusal, wakers);
    }

    /// Notes that a call leaves the queue at a moment, which lets the one behind the head be the
    /// head.
    fn turn_passes(&mut self, key: Key, at: u64) {
        if self.queue.head().is_some_and(|(head, _)| head == key) {
            let seldom = self.seldom.change();
            seldom.since = seldom.since.max(at);
        }
    }
}

#[cfg(test)]
mod tests;
