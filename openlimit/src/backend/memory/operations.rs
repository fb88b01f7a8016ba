//! The operations of buckets in memory.

use super::Memory;
use super::holding::LAST_END;
use super::row::Meter;
use crate::backend::buckets::{Buckets, Due};
use crate::backend::starting::Starting;
use crate::bucket::{Ahead, Bucket, Look};
use crate::error::{BuildProblem, StoreStatus};
use crate::limits::Amounts;
use crate::queue::{Queue, Refusal, Waiter};

impl Buckets for Memory {
    /// Every call that does not wait runs through this, so it is inlined into its caller.
    #[inline(always)]
    fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        if now < self.usual_from {
            return self.take_slowly(amounts, now);
        }
        let charge = self.charges + 1;
        if !self.meters.take(amounts, charge, now) {
            return None;
        }
        self.charges = charge;
        Some(charge)
    }

    fn has_room(&mut self, amounts: &[u64], now: u64) -> bool {
        if now < self.usual_from { self.has_room_slowly(amounts, now) } else { self.fits(amounts, now) }
    }

    fn due(&mut self, head: &Waiter, now: u64) -> Option<Due> {
        self.refresh(now);
        Some(self.earliest(head.amounts.as_slice(), now))
    }

    fn due_changes(&self) -> u64 {
        self.meters.iter().map(|meter| meter.bucket.due_changes()).min().unwrap_or(u64::MAX)
    }

    fn waits_for_share(&self, amounts: &[u64], now: u64) -> bool {
        let (limits, shares) = self.meters.split_at(self.limits());
        let due = |meters: &[Meter]| {
            let taken = meters.iter().map(|meter| (&meter.bucket, amounts[meter.dimension()]));
            taken
                .filter(|(_, amount)| *amount > 0)
                .map(|(bucket, amount)| bucket.due(amount, Ahead::default(), now))
                .max()
        };
        due(shares) > due(limits)
    }

    fn is_granted_below(&self) -> bool {
        false
    }

    fn charge(&mut self, amounts: &Amounts, at: u64, _: u64) -> u64 {
        self.charge_as(amounts.as_slice(), self.charges + 1, at);
        self.charges
    }

    fn refund(&mut self, amounts: &Amounts, charge: u64, now: u64, mut late: impl FnMut(usize, u64)) {
        for (place, meter) in self.meters.iter_mut().enumerate() {
            let leaked = meter.bucket.refund(amounts.as_slice()[meter.dimension()], charge, now);
            if leaked > 0 && meter.share == 100 {
                late(place, leaked);
            }
        }
    }

    fn next_charge(&self) -> u64 {
        self.charges + 1
    }

    fn late(&self, _: usize) -> u64 {
        0
    }

    fn owe(&mut self, amounts: &Amounts, now: u64) -> Option<u64> {
        self.set_back();
        Some(self.charge(amounts, now, now))
    }

    fn close(&mut self, _: u64) {
        self.holds.prolong(u64::MAX, self.meters.len());
        self.usual_from = u64::MAX;
    }

    fn change(&mut self, limits: &Starting<'_>, _: Option<u64>, now: u64) -> Result<(), BuildProblem> {
        self.charges += 1;
        self.set_back();
        for (meter, metering) in self.meters.iter_mut().zip(limits.meterings) {
            meter.bucket.change(metering, self.charges, now);
        }
        Ok(())
    }

    fn reset(&mut self, limits: &Starting<'_>, _: u64) {
        *self = Self { setbacks: self.setbacks, ..Self::new(limits, self.charges) };
    }

    fn wait(&self, call: &Waiter, queue: &Queue, now: u64) -> (u64, usize) {
        let amounts = call.amounts.as_slice();
        let Some(head) = queue.head_before(call) else { return self.wait_of_next(amounts, now) };
        let latest = |call: &Waiter| {
            self.latest(call.amounts.as_slice(), |dimension| queue.ahead_of(call, dimension), now)
        };
        let head = self.earliest(head.amounts.as_slice(), now);
        // The last one may wait for a limit that this call takes nothing from.
        let before = queue.last_before(call).map_or(head, |last| head.max(latest(last)));
        self.wait_until(latest(call).max(before), amounts, now)
    }

    #[inline]
    fn wait_of_next(&self, amounts: &[u64], now: u64) -> (u64, usize) {
        self.wait_until(self.earliest(amounts, now), amounts, now)
    }

    fn wait_behind(&self, amounts: &[u64], ahead: &[Ahead], now: u64) -> (u64, usize) {
        self.wait_until(self.latest(amounts, |dimension| ahead[dimension], now), amounts, now)
    }

    #[inline]
    fn setbacks(&self) -> u64 {
        self.setbacks
    }

    fn would_wait(&mut self, call: &Waiter, queue: &Queue, now: u64) -> Refusal {
        self.refresh(now);
        let (wait, limit) = self.wait_behind_all(call, queue, now);
        Refusal::WouldWait { wait, limit }
    }

    fn expire(&self, waiter: &Waiter, _: &Queue, head_due: u64, now: u64) -> Refusal {
        let amounts = waiter.amounts.as_slice();
        let (wait, limit) = self.wait_of_next(amounts, now);
        let wait = wait.max(head_due.saturating_sub(now));
        waiter.timed_out(wait, limit, now)
    }

    fn set_rate(&mut self, place: usize, allowed: u64, declared: u64, now: u64) {
        self.charges += 1;
        self.set_back();
        let charge = self.charges;
        self.buckets_of(place).for_each(|bucket| bucket.set_rate(allowed, declared, charge, now));
    }

    fn differs(&self, _: usize, _: u64, _: u64) -> bool {
        false
    }

    fn cut(&mut self, place: usize, span: u64, charge: u64, now: u64) -> bool {
        self.set_back();
        let last = self.charges;
        let cut = |is_cut, bucket: &mut Bucket| bucket.cut(span, charge, last, now) | is_cut;
        let is_cut = self.buckets_of(place).fold(false, cut);
        self.note_usual();
        is_cut
    }

    fn climbs(&self, place: usize, now: u64) -> bool {
        now < self.meters[place].bucket.climbs_until()
    }

    fn widen(&mut self, place: usize, amount: u64) {
        let share = u128::from(amount) * u128::from(self.share()) / 100;
        let amounts = [amount, u64::try_from(share).unwrap_or(u64::MAX)];
        self.buckets_of(place).zip(amounts).for_each(|(bucket, amount)| bucket.widen(amount));
    }

    fn is_meant(&self, place: usize, charge: Option<u64>, resets_in: Option<u64>, now: u64) -> bool {
        self.meters[place].bucket.is_meant(charge, resets_in, now)
    }

    fn granted_since(&mut self, _: usize, _: u64) -> Option<u64> {
        None
    }

    fn cap(&mut self, place: usize, left: i64, now: u64) {
        self.charges += 1;
        self.set_back();
        // What another consumer leaves is shared in the same way.
        let share = (i128::from(left) * i128::from(self.share())).div_euclid(100);
        let (charge, lefts) = (self.charges, [left, i64::try_from(share).unwrap_or(i64::MAX)]);
        self.buckets_of(place).zip(lefts).for_each(|(bucket, left)| bucket.cap(left, charge, now));
    }

    fn hold(&mut self, until: u64, now: u64) {
        if until > now {
            self.prolong(until, now);
        }
    }

    fn hold_limit(&mut self, place: usize, until: u64, now: u64) {
        let until = until.min(LAST_END);
        self.set_back();
        let end = self.holds.limit_mut(place, self.meters.len());
        if until > now.max(*end) {
            *end = until;
            // What the hold of all calls has frozen for longer stays so.
            self.buckets_of(place).for_each(|bucket| bucket.freeze(until, now));
            self.holds.prolong(until, self.meters.len());
            self.note_usual();
        }
    }

    fn exhaust(&mut self, until: u64, now: u64) {
        self.prolong(until, now);
        self.close(now);
    }

    fn reopen(&mut self, now: u64) {
        if self.is_exhausted() {
            self.end_hold(now);
        }
    }

    fn release(&mut self, now: u64) {
        if self.is_shut(now) {
            self.holds.end_limits();
            self.end_hold(now);
        }
    }

    fn held_until(&self) -> u64 {
        self.holds.all()
    }

    fn is_exhausted(&self) -> bool {
        self.holds.last() == u64::MAX
    }

    fn limit_held_until(&self, place: usize) -> u64 {
        self.holds.limit(place)
    }

    fn is_shut(&self, now: u64) -> bool {
        now < self.holds.last()
    }

    fn is_as_new(&self, now: u64) -> bool {
        !self.is_shut(now) && self.meters.iter().all(|meter| meter.bucket.is_as_new(now))
    }

    fn refresh(&mut self, now: u64) {
        self.meters.iter_mut().for_each(|meter| meter.bucket.read_date(now));
    }

    fn look(&self, now: u64) -> Vec<Look> {
        let rest = |place| self.holds.all().max(self.holds.limit(place)).saturating_sub(now);
        let meters = self.meters.iter().take(self.limits()).enumerate();
        meters.map(|(place, meter)| meter.bucket.look(now).on_hold(rest(place))).collect()
    }

    fn store(&self) -> Option<StoreStatus> {
        None
    }

    fn idle(&mut self, _: u64) {}

    fn set_room(&mut self, _: usize) {}

    fn calls_driver(&mut self, _: &Queue, _: u64) -> bool {
        false
    }
}
