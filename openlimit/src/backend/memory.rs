//! `Memory`: buckets in this process, one for each limit.
//!
//! It decides at once and exactly. Every call that does not wait runs through `take`, so that
//! function is inlined into its caller, and the fields that it touches lie together.

use super::buckets::{Buckets, Due, HOLD};
use super::starting::Starting;
use crate::bucket::{Bucket, Look};
use crate::error::StoreStatus;
use crate::limits::Amounts;
use crate::queue::{Queue, Refusal, Waiter};

/// The buckets of a limiter in memory.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Memory {
    meters: Box<[Meter]>,
    /// The number of the last charge.
    charges: u64,
    /// The end of the last hold.
    held_until: u64,
}

/// A bucket, and the dimension that it meters.
#[derive(Debug)]
#[repr(C, align(64))]
struct Meter {
    dimension: usize,
    bucket: Bucket,
}

impl Memory {
    /// Creates empty buckets whose charges are numbered from `charges` on.
    pub(crate) fn new(starting: &Starting<'_>, charges: u64) -> Self {
        let meters = starting.meterings.iter().zip(starting.dimensions);
        let meters =
            meters.map(|(metering, of)| Meter { dimension: *of, bucket: Bucket::new(metering) }).collect();
        Self { meters, charges, held_until: 0 }
    }

    /// Returns when a call could be admitted if it were the next one.
    #[inline]
    pub(super) fn earliest(&self, amounts: &[u64]) -> Due {
        self.latest(|meter| meter.bucket.due(amounts[meter.dimension], 0))
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
            meter.bucket.charge(amounts[meter.dimension], charge, at);
        }
    }

    /// Returns the latest of the moments that the limits ask for.
    #[inline]
    fn latest(&self, due: impl Fn(&Meter) -> u64) -> Due {
        let mut latest = Due { at: 0, limit: 0 };
        for (limit, meter) in self.meters.iter().enumerate() {
            let at = due(meter);
            if at >= latest.at {
                latest = Due { at, limit };
            }
        }
        // A frozen bucket is due when the hold ends, at the earliest.
        if self.held_until > 0 && latest.at <= self.held_until {
            Due { limit: HOLD, ..latest }
        } else {
            latest
        }
    }

    /// Returns the wait until a moment, and what decides it: the hold, if there is one now.
    #[inline]
    fn wait_until(&self, Due { at, limit }: Due, now: u64) -> (u64, usize) {
        (at.saturating_sub(now), if now < self.held_until { HOLD } else { limit })
    }

    /// Undoes a charge in the first `meters` limits.
    #[inline]
    fn put_back(&mut self, amounts: &[u64], meters: usize) {
        for meter in &mut self.meters[..meters] {
            meter.bucket.put_back(amounts[meter.dimension]);
        }
    }
}

impl Buckets for Memory {
    #[inline(always)]
    fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        if now < self.held_until {
            return None;
        }
        let charge = self.charges + 1;
        // All or nothing in one pass: if a limit refuses, the limits before it are put back.
        for (at, meter) in self.meters.iter_mut().enumerate() {
            if !meter.bucket.take(amounts[meter.dimension], charge, now) {
                self.put_back(amounts, at);
                return None;
            }
        }
        self.charges = charge;
        Some(charge)
    }

    fn due(&mut self, head: &Waiter, _: u64) -> Option<Due> {
        Some(self.earliest(head.amounts.as_slice()))
    }

    fn charge(&mut self, amounts: &Amounts, at: u64, _: u64) -> u64 {
        self.charge_as(amounts.as_slice(), self.charges + 1, at);
        self.charges
    }

    fn refund(&mut self, amounts: &Amounts, charge: u64, now: u64, mut late: impl FnMut(usize, u64)) {
        for (place, meter) in self.meters.iter_mut().enumerate() {
            let leaked = meter.bucket.refund(amounts.as_slice()[meter.dimension], charge, now);
            if leaked > 0 {
                late(place, leaked);
            }
        }
    }

    fn owe(&mut self, amounts: &Amounts, now: u64) -> Option<u64> {
        Some(self.charge(amounts, now, now))
    }

    fn wait(&self, call: &Waiter, queue: &Queue, now: u64) -> (u64, usize) {
        let amounts = call.amounts.as_slice();
        let Some(head) = queue.head_before(call) else { return self.wait_of_next(amounts, now) };
        let ahead = |meter: &Meter| queue.ahead_of(call, meter.dimension);
        let own = self.latest(|meter| meter.bucket.due(amounts[meter.dimension], ahead(meter)));
        self.wait_until(own.max(self.earliest(head.amounts.as_slice())), now)
    }

    #[inline]
    fn wait_of_next(&self, amounts: &[u64], now: u64) -> (u64, usize) {
        self.wait_until(self.earliest(amounts), now)
    }

    fn would_wait(&mut self, call: &Waiter, queue: &Queue, now: u64) -> Refusal {
        let (wait, limit) = self.wait(call, queue, now);
        Refusal::WouldWait { wait, limit }
    }

    fn expire(&self, waiter: &Waiter, head_due: u64, now: u64) -> Refusal {
        let Due { at, limit } = self.earliest(waiter.amounts.as_slice());
        let (wait, limit) = self.wait_until(Due { at: at.max(head_due), limit }, now);
        waiter.timed_out(wait, limit, now)
    }

    fn slow(&mut self, place: usize, allowed: u64, declared: u64) {
        self.meters[place].bucket.slow(allowed, declared, self.charges);
    }

    fn widen(&mut self, place: usize, amount: u64) {
        self.meters[place].bucket.widen(amount);
    }

    fn cap(&mut self, place: usize, left: i64, now: u64) {
        self.charges += 1;
        self.meters[place].bucket.cap(left, self.charges, now);
    }

    fn hold(&mut self, until: u64, now: u64) {
        if until > self.held_until.max(now) {
            self.held_until = until;
            self.meters.iter_mut().for_each(|meter| meter.bucket.freeze(until, now));
        }
    }

    fn release(&mut self, now: u64) {
        if now < self.held_until {
            self.held_until = 0;
            self.meters.iter_mut().for_each(|meter| meter.bucket.thaw(now));
        }
    }

    fn held_until(&self) -> u64 {
        self.held_until
    }

    fn look(&self, now: u64) -> Vec<Look> {
        let rest = self.held_until.saturating_sub(now);
        self.meters.iter().map(|meter| meter.bucket.look(now).on_hold(rest)).collect()
    }

    fn store(&self) -> Option<StoreStatus> {
        None
    }

    fn idle(&mut self, _: u64) {}

    fn calls_driver(&mut self, _: usize, _: u64) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Meter;

    #[test]
    fn a_bucket_without_refunds_has_at_most_128_bytes() {
        assert!(size_of::<Meter>() <= 128, "{} bytes", size_of::<Meter>());
    }
}
