//! `Memory`: buckets in this process, one for each limit.
//!
//! It decides at once and exactly. Every call that does not wait runs through `take`, so that
//! function is inlined into its caller, and the fields that it touches lie together.

use super::buckets::{Buckets, Due, HOLD};
use super::holds::Holds;
use super::starting::Starting;
use crate::bucket::{Bucket, Look};
use crate::error::{BuildProblem, StoreStatus};
use crate::limits::Amounts;
use crate::queue::{Queue, Refusal, Waiter};

/// The buckets of a limiter in memory.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Memory {
    /// Those of the limits come first. If a part of each is reserved, those of the shares follow,
    /// for calls below that priority, in the same order.
    meters: Box<[Meter]>,
    /// The number of the last charge.
    charges: u64,
    /// The time from which on calls are admitted as usual: no hold, and no rate that climbs. So a
    /// call that is admitted at once compares a single number.
    usual_from: u64,
    holds: Holds,
    /// How often calls may have been moved back.
    setbacks: u64,
}

/// The latest end of a hold. A later one says that a quota is used up.
const LAST_END: u64 = u64::MAX - 1;

/// A bucket, and the dimension that it meters.
#[derive(Debug)]
#[repr(C, align(64))]
struct Meter {
    dimension: u32,
    /// The part of the limit that the bucket is for, in percent.
    share: u8,
    bucket: Bucket,
}

impl Meter {
    #[inline(always)]
    fn dimension(&self) -> usize {
        self.dimension as usize
    }
}

impl Memory {
    /// Creates empty buckets whose charges are numbered from `charges` on.
    pub(crate) fn new(starting: &Starting<'_>, charges: u64) -> Self {
        let meters = starting.meterings.iter().zip(starting.dimensions).map(|(metering, dimension)| Meter {
            dimension: *dimension as u32,
            share: metering.share,
            bucket: Bucket::new(metering, &starting.dates),
        });
        Self { meters: meters.collect(), charges, ..Self::default() }
    }

    /// Creates empty buckets for another limiter with the same limits. They share the terms.
    pub(super) fn of_another(&self) -> Self {
        let meters = self.meters.iter().map(|meter| Meter { bucket: meter.bucket.of_another(), ..*meter });
        Self { meters: meters.collect(), charges: self.charges, ..Self::default() }
    }

    /// Returns when a call could be admitted if it were the next one.
    #[inline]
    pub(super) fn earliest(&self, amounts: &[u64], now: u64) -> Due {
        self.latest(amounts, |_| 0, now)
    }

    /// Empties the bucket of one limit, and returns the amount that was in it.
    #[allow(dead_code, reason = "for backends that memory stands in for")]
    pub(super) fn empty(&mut self, limit: usize, now: u64) -> u64 {
        self.meters[limit].bucket.empty(now)
    }

    /// Charges a single limit, and returns the number of the charge.
    #[allow(dead_code, reason = "for backends that memory stands in for")]
    pub(super) fn fill(&mut self, limit: usize, amount: u64, now: u64) -> u64 {
        self.charges += 1;
        self.meters[limit].bucket.charge(amount, self.charges, now);
        self.charges
    }

    /// Charges a call under a number that is given.
    #[inline]
    pub(super) fn charge_as(&mut self, amounts: &[u64], charge: u64, at: u64) {
        self.charges = charge;
        for meter in &mut self.meters {
            meter.bucket.charge(amounts[meter.dimension()], charge, at);
        }
    }

    /// Returns the latest of the moments that the limits ask for, after other calls have taken
    /// `ahead` of a dimension, and that holds ask for.
    #[inline]
    fn latest(&self, amounts: &[u64], ahead: impl Fn(usize) -> u128, now: u64) -> Due {
        let latest = self.latest_of_limits(amounts, ahead, now);
        let held = if self.holds.last() > 0 { self.held_for(amounts) } else { 0 };
        if held > 0 && latest.at <= held { Due { at: held, limit: HOLD } } else { latest }
    }

    /// Does the same without holds.
    #[inline]
    fn latest_of_limits(&self, amounts: &[u64], ahead: impl Fn(usize) -> u128, now: u64) -> Due {
        let mut latest = Due { at: 0, limit: 0 };
        for (limit, meter) in self.meters.iter().enumerate() {
            let amount = amounts[meter.dimension()];
            if amount == 0 {
                continue;
            }
            let at = meter.bucket.due(amount, ahead(meter.dimension()), now);
            if at >= latest.at {
                latest = Due { at, limit };
            }
        }
        if latest.limit >= self.limits() {
            latest.limit -= self.limits();
        }
        latest
    }

    /// Returns the number of limits.
    fn limits(&self) -> usize {
        if self.share() < 100 { self.meters.len() / 2 } else { self.meters.len() }
    }

    /// Returns the part of each limit that calls below the reserved priority may take, in percent.
    fn share(&self) -> u8 {
        self.meters.last().map_or(100, |meter| meter.share)
    }

    /// Returns the buckets of one limit: that of all calls, and that of the share, if there is one.
    fn buckets_of(&mut self, place: usize) -> impl Iterator<Item = &mut Bucket> {
        let limits = self.limits();
        self.meters.iter_mut().skip(place).step_by(limits).map(|meter| &mut meter.bucket)
    }

    /// Returns when the holds end that a call of these amounts has to wait for.
    #[cold]
    #[inline(never)]
    fn held_for(&self, amounts: &[u64]) -> u64 {
        let takes = self.meters.iter().enumerate().filter(|(_, meter)| amounts[meter.dimension()] > 0);
        takes.map(|(place, _)| self.holds.limit(place)).fold(self.holds.all(), u64::max)
    }

    /// Returns the wait of a call until a moment, and what decides it: a hold, if there is one now.
    #[inline]
    fn wait_until(&self, Due { at, limit }: Due, amounts: &[u64], now: u64) -> (u64, usize) {
        let is_held = self.is_shut(now) && now < self.held_for(amounts);
        let limit = match limit {
            _ if is_held => HOLD,
            // It is over.
            HOLD if at <= now => self.latest_of_limits(amounts, |_| 0, now).limit,
            limit => limit,
        };
        (at.saturating_sub(now), limit)
    }

    /// Moves the end of the hold of all calls to `until`, if that is later. The levels stand.
    fn prolong(&mut self, until: u64, now: u64) {
        let until = until.min(LAST_END);
        self.set_back();
        let end = self.holds.all_mut(self.meters.len());
        if until > now.max(*end) {
            self.meters.iter_mut().for_each(|meter| meter.bucket.freeze(until, now));
        }
        *end = until.max(*end);
        self.holds.prolong(until, self.meters.len());
        self.note_usual();
    }

    /// Ends the hold of all calls. Holds of single limits stay.
    fn end_hold(&mut self, now: u64) {
        self.holds.end_all();
        let limits = self.limits();
        for (place, meter) in self.meters.iter_mut().enumerate() {
            meter.bucket.thaw(now);
            let until = self.holds.limit(place % limits);
            if until > now {
                meter.bucket.freeze(until, now);
            }
        }
        self.note_usual();
    }

    /// Notes that calls that wait may have to wait for longer than was known.
    fn set_back(&mut self) {
        self.setbacks += 1;
    }

    /// Does the same as [`take`](Buckets::take) while a rate climbs or during a hold.
    #[cold]
    #[inline(never)]
    fn take_slowly(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        if !self.has_room_slowly(amounts, now) {
            return None;
        }
        self.charge_as(amounts, self.charges + 1, now);
        Some(self.charges)
    }

    /// Does the same as [`has_room`](Buckets::has_room) while a rate climbs or during a hold. Holds
    /// of limits from which the call takes nothing do not count.
    fn has_room_slowly(&self, amounts: &[u64], now: u64) -> bool {
        if self.is_shut(now) && (self.is_exhausted() || now < self.held_for(amounts)) {
            return false;
        }
        let fits = |Meter { bucket, dimension, .. }: &Meter| {
            bucket.fits(amounts[*dimension as usize], bucket.clock(now))
        };
        self.meters.iter().all(fits)
    }

    /// Returns whether every limit has room for a call, as usual.
    fn fits(&self, amounts: &[u64], now: u64) -> bool {
        self.meters.iter().all(|meter| meter.bucket.fits(amounts[meter.dimension()], now))
    }

    /// Notes from when on calls are admitted as usual, after a hold or a climb has changed.
    fn note_usual(&mut self) {
        let climbs = self.meters.iter().map(|meter| meter.bucket.climbs_until());
        self.usual_from = climbs.fold(self.holds.last(), u64::max);
    }
}

impl Buckets for Memory {
    #[inline(always)]
    fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        if now < self.usual_from {
            return self.take_slowly(amounts, now);
        }
        let charge = self.charges + 1;
        if let [others @ .., last] = &mut *self.meters {
            // All or nothing: nothing is written before it is known that all limits have room.
            let fits = |meter: &Meter| meter.bucket.fits(amounts[meter.dimension()], now);
            if !others.iter().all(fits) || !last.bucket.try_take(amounts[last.dimension()], charge, now) {
                return None;
            }
            for meter in others {
                meter.bucket.take(amounts[meter.dimension()], charge, now);
            }
        }
        self.charges = charge;
        Some(charge)
    }

    fn has_room(&mut self, amounts: &[u64], now: u64) -> bool {
        if now < self.usual_from { self.has_room_slowly(amounts, now) } else { self.fits(amounts, now) }
    }

    fn due(&mut self, head: &Waiter, now: u64) -> Option<Due> {
        self.meters.iter_mut().for_each(|meter| meter.bucket.read_date(now));
        Some(self.earliest(head.amounts.as_slice(), now))
    }

    fn due_changes(&self) -> u64 {
        self.meters.iter().map(|meter| meter.bucket.due_changes()).min().unwrap_or(u64::MAX)
    }

    fn waits_for_share(&self, amounts: &[u64], now: u64) -> bool {
        let (limits, shares) = self.meters.split_at(self.limits());
        let due = |meters: &[Meter]| {
            let taken = meters.iter().map(|meter| (&meter.bucket, amounts[meter.dimension()]));
            taken.filter(|(_, amount)| *amount > 0).map(|(bucket, amount)| bucket.due(amount, 0, now)).max()
        };
        due(shares) > due(limits)
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
        let own = self.latest(amounts, |dimension| queue.ahead_of(call, dimension), now);
        let head = self.earliest(head.amounts.as_slice(), now);
        self.wait_until(own.max(head), amounts, now)
    }

    #[inline]
    fn wait_of_next(&self, amounts: &[u64], now: u64) -> (u64, usize) {
        self.wait_until(self.earliest(amounts, now), amounts, now)
    }

    fn wait_behind(&self, amounts: &[u64], ahead: &[u128], now: u64) -> (u64, usize) {
        self.wait_until(self.latest(amounts, |dimension| ahead[dimension], now), amounts, now)
    }

    #[inline]
    fn setbacks(&self) -> u64 {
        self.setbacks
    }

    fn would_wait(&mut self, call: &Waiter, queue: &Queue, now: u64) -> Refusal {
        let (wait, limit) = self.wait(call, queue, now);
        Refusal::WouldWait { wait, limit }
    }

    fn expire(&self, waiter: &Waiter, _: &Queue, head_due: u64, now: u64) -> Refusal {
        let amounts = waiter.amounts.as_slice();
        let Due { at, limit } = self.earliest(amounts, now);
        let (wait, limit) = self.wait_until(Due { at: at.max(head_due), limit }, amounts, now);
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

    fn refresh(&mut self, _: u64) {}

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

#[cfg(test)]
mod tests {
    use super::Meter;

    #[test]
    fn a_bucket_without_refunds_is_one_cache_line() {
        assert!(size_of::<Meter>() <= 64, "{} bytes", size_of::<Meter>());
    }
}
