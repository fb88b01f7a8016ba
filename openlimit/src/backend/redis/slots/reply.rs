//! Turns replies into slots, and gives up a batch that has none.
//!
//! # Two clocks
//!
//! The reply grants each call a wait, counted from the moment at which the server decided. On the
//! limiter's clock that moment is unknown: it lies between sending the batch and having its reply.
//! Take the latest, `now`. Then a call departs late, by a round trip at most, and never early. This
//! costs no throughput, since all calls are late by about the same time.
//!
//! Three replies need more care:
//!
//! * A reply to a batch that was sent again. The server decided that batch some time ago, and the
//!   reply states how long on the server's clock: its `age` is subtracted.
//! * A reply that was held up, by more than `slack` (half of the jitter) beyond the usual round
//!   trip. Its slots would be later than others by more than the jitter covers, and the provider
//!   might see the calls of two batches at once. So all slots are given back, and requested anew.
//!   If it grants none, those of earlier replies stay as they are.
//! * A reply that shows a clock that was set back since the last one. How long ago it was decided
//!   is then unknown, and its slots are requested anew, too.
//!
//! The usual round trip is the last one, but at most twice the usual one before it, so that one
//! delay does not become usual. Round trips that grow little by little are usual each time. When
//! they are short again, calls depart closer together by the difference. For a new key, the round
//! trips of the other keys are usual. Before the first reply of all, none is. If that one was held
//! up, what exceeds the jitter is not covered.
//!
//! The end of a hold has to be late, too, but on the server's clock. So `seen_late_by` is how much
//! earlier the server may have decided than the client assumes: by a round trip at most. If an
//! earlier reply said that it is less, that still holds, unless the server's clock was set since.
//!
//! Example: a batch is sent at 1000 ms, and its reply is there at 1002 ms with a wait of 20 ms. The
//! server decided between 1000 and 1002, so the slot begins between 1020 and 1022. Assume 1022.
//! With a slack of 25 ms a call may depart for it until 1047. If the reply comes at 1040 instead,
//! it was held up by 38 ms more than usual, and its slots are given back.

use std::collections::VecDeque;
use std::mem;

use super::state::{AskedCall, Slot, Slots};
use crate::backend::redis::scale::MOST;
use crate::backend::redis::wire::BatchReply;
use crate::queue::{Queue, Refusals};

/// The shortest round trip that counts as usual, in nanoseconds: 1 ms. Within one machine it takes
/// less, and then several times the usual would still be no delay. Also assumed before the first
/// reply.
pub(super) const SHORTEST_TRIP: u64 = 1_000_000;

/// The time after which refunds and debts that the server has refused are sent again alone, in
/// nanoseconds: 15 s. Whoever has to mend the server takes longer.
const AGAIN: u64 = 15_000_000_000;

/// The clocks of two machines go at the same pace, apart from less than one part in this.
const DRIFT: u64 = 1_000;

impl Slots {
    /// Applies the reply to the batch in flight, which was sent at `sent`. Returns the waiters to
    /// refuse, because they would have to wait for longer than they may.
    pub(in crate::backend::redis) fn apply(
        &mut self,
        reply: &BatchReply,
        queue: &Queue,
        sent: u64,
        now: u64,
    ) -> Refusals {
        let was_local = self.end_outage(now);
        self.setbacks += 1;
        let calls = self.in_flight.take().unwrap_or_default();
        self.answered_from = self.asked_at;
        let undecided = calls.get(reply.calls.len());
        let kept_back = undecided.and_then(|call| call.waiter);
        let undecided = undecided.map(|call| self.takes_share(call.amounts.as_slice()));
        let lost = self.ledger.is_lost(reply.epoch);
        if self.ledger.others_gave(reply, self.shortest_pause()) {
            self.given_at = Some(now);
        }
        self.learn_windows(reply);
        let last = self.ledger.seen_at();
        let since_last = |time: u64| time.saturating_sub(last).saturating_mul(1_000);
        let mut charges = self.ledger.apply(reply);
        // A hold waits for the first reply.
        self.flush_soon(now);
        self.decided(reply.charges);
        // See "Two clocks" above.
        let age = reply.now.saturating_sub(reply.decided).saturating_mul(1_000);
        let trip = now.saturating_sub(sent);
        let elapsed = now.saturating_sub(self.seen_at);
        let is_set_back =
            elapsed.saturating_sub(elapsed / DRIFT) > since_last(reply.now).saturating_add(trip);
        let is_held_up = is_set_back || trip.saturating_sub(self.usual_trip) > self.terms.slack();
        self.usual_trip = trip.min(self.usual_trip.saturating_mul(2)).max(SHORTEST_TRIP);
        self.trip_of_all.set(self.usual_trip);
        let before = mem::replace(&mut self.seen_at, now.saturating_sub(age));
        let passed = self.seen_at.saturating_sub(before);
        let most = self.seen_late_by.saturating_add(passed).saturating_add(passed / DRIFT);
        self.seen_late_by = most.checked_sub(since_last(reply.decided)).unwrap_or(trip).min(trip);
        let knows_holds = self.knows_holds(reply, lost, now);
        if knows_holds {
            self.learn_limit_holds(reply, now);
            self.learn_hold(reply, now);
        }
        self.learn_paces(reply, lost, now);
        self.note_marks(reply, &calls, lost);
        for ((late, bucket), scale) in self.late.iter_mut().zip(&reply.buckets).zip(&self.scales) {
            *late = late.saturating_add(scale.whole(bucket.late));
        }
        let mut refused = Vec::new();
        let by =
            |lane: &VecDeque<Slot>| lane.back().map_or((0, false), |slot| (slot.limit, slot.waits_for_share));
        let mut by = self.lanes().map(by);
        for (call, decision) in calls.into_iter().zip(&reply.calls) {
            let is_below = self.takes_share(call.amounts.as_slice());
            let by = &mut by[usize::from(is_below)];
            if let Some(bucket) = decision.limit {
                *by = (self.limit_of(bucket), bucket >= self.limits);
            }
            let (limit, waits_for_share) = *by;
            let mut due = (now + decision.wait).saturating_sub(age);
            if let Some(last) = self.slots.back().filter(|last| is_below && !last.is_lease()) {
                // Both are exact on the server's clock. Here they differ by their round trips.
                due = due.max(last.due);
            }
            if decision.granted
                && let Some(charge) = charges.next()
            {
                let waiter = call.waiter.map(|(_, number)| number);
                let last = self.last_departure(call.amounts.as_slice(), reply, sent.saturating_sub(age));
                let lease = self.terms.lease.filter(|_| waiter.is_none()).unwrap_or(0);
                let late_by = call.late_by;
                let expires = (due + self.terms.slack() + lease + late_by).min(last);
                for (held, amount) in self.held.iter_mut().zip(call.amounts.as_slice()) {
                    *held += u128::from(*amount);
                }
                if is_below {
                    self.below_at = 0;
                }
                if reply.has_probe && self.is_exhausted {
                    self.probe_slot = charge;
                }
                let (at, amounts) = (reply.decided + decision.wait / 1_000, call.amounts);
                self.keep_slot(Slot {
                    amounts,
                    due,
                    at,
                    expires,
                    late_by,
                    charge,
                    limit,
                    waits_for_share,
                    waiter,
                });
            } else if let Some((key, number)) = call.waiter
                // Keys are reused, so another waiter may have it by now.
                && let Some(waiter) = queue.waiter(key).filter(|waiter| waiter.number == number)
            {
                // The server knows of the next reset only.
                let wait = decision.wait.max(self.known_reset(call.amounts.as_slice(), now).0);
                refused.push((key, waiter.timed_out(wait, limit, now)));
            }
        }
        self.in_line = undecided.filter(|_| reply.place > 0);
        let ask_at = now + self.pause(reply.ask_in, reply.place, undecided == Some(true), now);
        self.ask_at = if undecided == Some(false) { ask_at } else { 0 };
        self.kept_in_line = kept_back.map(|(_, number)| number);
        if undecided == Some(true) {
            (self.below_at, self.kept_back) = (ask_at, kept_back);
        }
        // After an outage, what this process took alone is charged first. And what was granted
        // before the server knew of a hold may not be used during it.
        let is_held = self.held_until > now && self.ledger.has_hold() || self.is_held(now) && !knows_holds;
        if is_held_up && reply.granted() > 0 || was_local || is_held {
            self.drop_all(now);
        } else {
            self.drop_held(now);
            if !is_held_up {
                self.move_up(reply, self.seen_at);
            }
        }
        refused
    }

    /// Notes what was granted before each call that a reply grants.
    fn note_marks(&mut self, reply: &BatchReply, calls: &[AskedCall], lost: bool) {
        let Some(marks) = &mut self.marks else { return };
        if lost {
            marks.clear();
        }
        let granted: Vec<_> =
            calls.iter().zip(&reply.calls).filter(|(_, decision)| decision.granted).collect();
        let mut sums: Box<[u64]> = reply.buckets.iter().map(|bucket| bucket.sum).collect();
        // Just before the first of them.
        for (call, _) in &granted {
            for (sum, weight) in sums.iter_mut().zip(&call.weights) {
                *sum = (*sum + MOST).saturating_sub(*weight) % MOST;
            }
        }
        for (charge, (call, _)) in (reply.charges_before() + 1..).zip(granted) {
            for (sum, weight) in sums.iter_mut().zip(&call.weights) {
                *sum = (*sum + weight) % MOST;
            }
            marks.note(charge, sums.clone());
        }
    }

    /// Gives up the batch in flight, which the server may have decided or not. What of it is to be
    /// sent again does not wait for the next call.
    pub(in crate::backend::redis) fn give_up(&mut self, now: u64) {
        self.in_flight = None;
        self.is_update_sent = false;
        self.ledger.give_up();
        // Nothing of its charges is ever given back. Those of the next one weigh by the limits as
        // they are now.
        self.decided(self.ledger.charges());
        if self.ledger.is_pending() {
            self.flush_at = self.flush_at.min(now.saturating_add(AGAIN));
        }
    }
}
