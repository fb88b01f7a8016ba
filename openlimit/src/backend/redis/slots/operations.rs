//! The operations of shared buckets.
//!
//! Each asks the buckets in this process instead, while those decide during an outage.

use super::LOCAL;
use super::shares::part_of;
use super::state::Slots;
use crate::backend::redis::scale::Scale;
use crate::backend::{Buckets, Due, HOLD, Look, Starting, UNNUMBERED};
use crate::bucket::Ahead;
use crate::error::{BuildProblem, StoreStatus};
use crate::limits::Amounts;
use crate::queue::{Queue, Refusal, Waiter};

impl Buckets for Slots {
    /// Admits a call from a lease. While no call waits there are no other slots.
    fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        if !self.has_room(amounts, now) {
            None
        } else if self.is_local() {
            let charge = self.alone.share.take(amounts, now)?;
            self.note_taken(amounts, charge, now, now);
            Some(charge)
        } else {
            self.take_slot(amounts, now)
        }
    }

    #[inline(never)]
    fn take_quickly(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        if self.needs_news(now) { None } else { self.take(amounts, now) }
    }

    fn has_room(&mut self, amounts: &[u64], now: u64) -> bool {
        if self.is_closed {
            false
        } else if self.is_local() {
            self.is_away_here() && self.alone.share.has_room(amounts, now)
        } else if self.is_held(now) || self.shut_for(amounts) > now {
            false
        } else {
            self.slot_due(amounts, None, now).is_some_and(|due| due.at <= now)
        }
    }

    fn due(&mut self, head: &Waiter, now: u64) -> Option<Due> {
        if self.is_local() {
            return self.alone.share.due(head, now);
        }
        let amounts = head.amounts.as_slice();
        self.note_head(head, now);
        // Calls below are kept back for a reset, so that those above can pass them.
        let is_below = self.takes_share(amounts);
        self.head_shut_until = if is_below { self.shut_for(amounts) } else { self.opens_for(amounts, now) };
        let due = self.slot_due(amounts, Some(head.number), now)?;
        let held = self.held_for(amounts);
        Some(if held > due.at { Due { at: held, limit: HOLD } } else { due })
    }

    fn due_changes(&self) -> u64 {
        u64::MAX
    }

    fn waits_for_share(&self, amounts: &[u64], now: u64) -> bool {
        if self.is_local() {
            self.alone.share.waits_for_share(amounts, now)
        } else {
            self.lets_pass(amounts, now)
        }
    }

    fn is_granted_below(&self) -> bool {
        !self.below.is_empty()
    }

    fn charge(&mut self, amounts: &Amounts, at: u64, now: u64) -> u64 {
        let slot = if self.is_local() { None } else { self.take_slot(amounts.as_slice(), now) };
        slot.unwrap_or_else(|| self.charge_alone(amounts, at, now))
    }

    /// What comes too late is known with the next reply.
    fn refund(&mut self, amounts: &Amounts, charge: u64, now: u64, late: impl FnMut(usize, u64)) {
        if charge == UNNUMBERED {
            return;
        }
        if charge < LOCAL {
            self.changed_at = Some(now);
            self.give_back(amounts.as_slice(), charge, true, now);
        } else {
            self.refund_alone(amounts, charge, now, late);
        }
    }

    fn next_charge(&self) -> u64 {
        // The server numbers it.
        0
    }

    fn late(&self, place: usize) -> u64 {
        self.bucket_of(place).map_or(0, |bucket| self.late[bucket])
    }

    fn owe(&mut self, amounts: &Amounts, now: u64) -> Option<u64> {
        if self.is_local() {
            return Some(self.charge_alone(amounts, now, now));
        }
        self.setbacks += 1;
        for bucket in 0..self.scales.len() {
            self.add_debt(bucket, amounts.as_slice()[self.dimensions[bucket]], now);
        }
        None
    }

    fn close(&mut self, now: u64) {
        self.is_closed = true;
        self.lease_for = None;
        self.drop_all(now);
    }

    fn change(&mut self, limits: &Starting<'_>, version: Option<u64>, now: u64) -> Result<(), BuildProblem> {
        self.change_limits(limits, version, now)
    }

    fn reset(&mut self, limits: &Starting<'_>, now: u64) {
        self.reset_buckets(limits, now);
    }

    fn wait(&self, call: &Waiter, queue: &Queue, now: u64) -> (u64, usize) {
        if self.is_local() {
            return self.alone.share.wait(call, queue, now);
        }
        let (mut wait, mut limit) = self.estimate(call, queue, now);
        if let Some(head) = queue.head_before(call).map(|head| head.amounts.as_slice()) {
            (wait, limit) = (wait, limit).max(self.known_reset(head, now));
            wait = wait.max(self.shut_for(head).saturating_sub(now));
        }
        self.at_end_of_hold((wait, limit), call.amounts.as_slice(), now)
    }

    fn expected_wait(&self, call: &Waiter, queue: &Queue, now: u64) -> u64 {
        let (wait, _) = self.wait(call, queue, now);
        if self.is_local() { wait } else { wait.max(self.expected(call, queue, now)) }
    }

    fn wait_of_next(&self, amounts: &[u64], now: u64) -> (u64, usize) {
        if self.is_local() {
            return self.alone.share.wait_of_next(amounts, now);
        }
        self.at_end_of_hold(self.estimate_next(amounts, now), amounts, now)
    }

    fn wait_behind(&self, amounts: &[u64], ahead: &[Ahead], now: u64) -> (u64, usize) {
        if self.is_local() {
            return self.alone.share.wait_behind(amounts, ahead, now);
        }
        self.at_end_of_hold(self.estimate_behind(amounts, ahead, now), amounts, now)
    }

    fn setbacks(&self) -> u64 {
        self.setbacks + self.alone.share.setbacks()
    }

    fn would_wait(&mut self, call: &Waiter, queue: &Queue, now: u64) -> Refusal {
        if self.is_local() {
            return self.alone.share.would_wait(call, queue, now);
        }
        let (wait, limit) = self.wait_behind_all(call, queue, now);
        if wait > 0 {
            // As far as is known, a lease would not be granted either.
            self.want_news(now);
            return Refusal::WouldWait { wait, limit };
        }
        if let Some(error) = self.away() {
            return call.undecided(error, now);
        }
        Refusal::WouldWait { wait: self.request_lease(&call.amounts), limit }
    }

    fn expire(&self, waiter: &Waiter, queue: &Queue, head_due: u64, now: u64) -> Refusal {
        if self.is_local() {
            return self.alone.share.expire(waiter, queue, head_due, now);
        }
        let amounts = waiter.amounts.as_slice();
        let (wait, limit) = self.wait_of_next(amounts, now).max(self.known_reset(amounts, now));
        let wait = wait.max(head_due.saturating_sub(now));
        if let Some(error) = self.unanswered(waiter, queue, wait, now) {
            return waiter.undecided(&error, now);
        }
        waiter.timed_out(wait, limit, now)
    }

    fn set_rate(&mut self, place: usize, allowed: u64, declared: u64, now: u64) {
        self.setbacks += 1;
        self.alone.share.set_rate(place, allowed, declared, now);
        // The windows before were of the earlier rate.
        self.turn(now);
        for bucket in self.buckets_of(place) {
            self.set_rate_of_bucket(bucket, allowed, declared, now);
        }
    }

    fn differs(&self, place: usize, allowed: u64, declared: u64) -> bool {
        self.bucket_of(place).is_some_and(|bucket| {
            let scale = &self.scales[bucket];
            scale.rate() != scale.rate_of(allowed, declared)
        })
    }

    fn widen(&mut self, place: usize, amount: u64) {
        for bucket in self.buckets_of(place) {
            let part = self.part_for(bucket, i64::try_from(amount).unwrap_or(i64::MAX));
            self.scales[bucket].widen(part.unsigned_abs());
        }
        self.half_burst = Scale::half_burst(&self.scales);
    }

    fn cut(&mut self, place: usize, span: u64, charge: u64, now: u64) -> bool {
        self.cut_limit(place, span, charge, now)
    }

    fn climbs(&self, place: usize, now: u64) -> bool {
        let bucket = self.bucket_of(place);
        bucket.is_some_and(|bucket| self.bucket_climbs(bucket, now))
    }

    fn is_meant(&self, place: usize, charge: Option<u64>, resets_in: Option<u64>, now: u64) -> bool {
        if self.is_local() {
            return self.alone.share.is_meant(place, charge, resets_in, now);
        }
        let windows = self.bucket_of(place).and_then(|bucket| self.windows_of(bucket));
        windows.is_none_or(|windows| self.is_about_now(windows, charge, resets_in, now))
    }

    fn granted_since(&mut self, place: usize, charge: u64) -> Option<u64> {
        if self.is_local() {
            return None;
        }
        let marks = self.marks.get_or_insert_default();
        let bucket = self.places.iter().position(|of| *of == place)?;
        let weight = self.ledger.granted_since(bucket, marks.at(charge, bucket)?);
        Some(self.scales[bucket].amount(weight))
    }

    fn cap(&mut self, place: usize, left: i64, now: u64) {
        if let Some(share) = self.local_share() {
            // Other processes that are cut off take their shares of what is left.
            return self.alone.share.cap(place, part_of(left, share), now);
        }
        // What another consumer leaves is shared in the same way.
        for bucket in self.buckets_of(place) {
            self.setbacks += 1;
            self.cap_bucket(bucket, self.part_for(bucket, left), now);
        }
    }

    fn hold(&mut self, until: u64, now: u64) {
        self.alone.share.hold(until, now);
        if until > now {
            self.begin_hold(until, false, now);
        }
    }

    fn hold_limit(&mut self, place: usize, until: u64, now: u64) {
        self.alone.share.hold_limit(place, until, now);
        for bucket in self.buckets_of(place).filter(|_| until > now) {
            self.begin_limit_hold(bucket, until, now);
        }
    }

    fn exhaust(&mut self, until: u64, now: u64) {
        self.alone.share.exhaust(until, now);
        self.begin_hold(until, true, now);
    }

    fn reopen(&mut self, now: u64) {
        self.alone.share.reopen(now);
        if self.is_exhausted {
            self.end_hold(now);
        }
    }

    fn release(&mut self, now: u64) {
        self.alone.share.release(now);
        self.end_all_holds(now);
    }

    fn held_until(&self) -> u64 {
        if self.is_local() { self.alone.share.held_until() } else { self.held_until }
    }

    fn is_exhausted(&self) -> bool {
        self.is_closed || if self.is_local() { self.alone.share.is_exhausted() } else { self.is_exhausted }
    }

    fn limit_held_until(&self, place: usize) -> u64 {
        if self.is_local() {
            return self.alone.share.limit_held_until(place);
        }
        self.bucket_of(place).map_or(0, |bucket| self.shut_until[bucket])
    }

    fn is_shut(&self, now: u64) -> bool {
        if self.is_local() {
            self.is_closed || self.alone.share.is_shut(now)
        } else {
            self.is_closed || self.is_held(now) || self.is_any_shut(now)
        }
    }

    fn is_as_new(&self, now: u64) -> bool {
        self.says_nothing(now)
    }

    fn refresh(&mut self, now: u64) {
        if !self.is_local() && !self.is_closed {
            self.want_news(now);
        }
    }

    fn look(&self, now: u64) -> Vec<Look> {
        let mut looks = self.alone.share.look(now);
        if !self.is_local() {
            for (bucket, place) in self.places[..self.limits].iter().enumerate() {
                looks[*place] = self.look_at(bucket, now).on_hold(self.opens_at(bucket).saturating_sub(now));
            }
        }
        looks
    }

    fn store(&self) -> Option<StoreStatus> {
        let updates = self.identity.version();
        Some(StoreStatus { error: self.away().cloned(), outages: self.outages, updates })
    }

    fn idle(&mut self, now: u64) {
        self.drop_idle(now);
        // The call that had to pause has left.
        (self.ask_at, self.below_at, self.head_shut_until) = (0, 0, 0);
    }

    fn set_room(&mut self, calls: usize) {
        self.room = calls;
    }

    fn round_trip(&self) -> u64 {
        if self.is_local() { 0 } else { self.known_trip() }
    }

    fn lasts(&self) -> u64 {
        if self.is_local() { u64::MAX } else { self.terms.slack() }
    }

    fn calls_driver(&mut self, queue: &Queue, now: u64) -> bool {
        self.note_kept_back(queue, now);
        let calls = self.next_batch(queue, now) < self.next_look;
        if calls {
            self.next_look = 0;
        }
        calls
    }
}
