//! `Memory`: buckets in this process, one for each limit.
//!
//! It decides at once and exactly. Every call that does not wait runs through `take`, so that
//! function is inlined into its caller, and the fields that it touches lie together.
//!
//! `row` has the buckets, and `operations` what is done with them. `holding` begins and ends holds,
//! and `holds` has their ends.

mod holding;
mod holds;
mod operations;
mod row;

use self::holds::Holds;
use self::row::{Meter, Row};
use super::buckets::{Buckets as _, Due, HOLD};
use super::starting::Starting;
use crate::bucket::{Ahead, Bucket, Climb};

/// The buckets of a limiter in memory.
///
/// What every call reads comes first.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Memory {
    /// The number of the last charge.
    charges: u64,
    /// The time from which on calls are admitted as usual: no hold, and no rate that climbs. So a
    /// call that is admitted at once compares a single number.
    usual_from: u64,
    /// Those of the limits come first. If a part of each is reserved, those of the shares follow,
    /// for calls below that priority, in the same order.
    meters: Row,
    holds: Holds,
    /// How often calls may have been moved back.
    setbacks: u64,
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
        self.latest(amounts, |_| Ahead::default(), now)
    }

    /// Empties the bucket of one limit, and returns the amount that was in it.
    #[allow(dead_code, reason = "for backends that memory stands in for")]
    pub(super) fn empty(&mut self, limit: usize, now: u64) -> u64 {
        self.meters[limit].bucket.empty(now)
    }

    /// Lets the rate of one limit climb as it does elsewhere.
    #[allow(dead_code, reason = "for backends that memory stands in for")]
    pub(super) fn set_climb(&mut self, limit: usize, climb: Climb, now: u64) {
        self.meters[limit].bucket.set_climb(climb, now);
        self.note_usual();
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
        for meter in &mut *self.meters {
            meter.bucket.charge(amounts[meter.dimension()], charge, at);
        }
    }

    /// Returns the latest of the moments that the limits ask for, after other calls have taken
    /// `ahead` of a dimension, and that holds ask for.
    #[inline]
    fn latest(&self, amounts: &[u64], ahead: impl Fn(usize) -> Ahead, now: u64) -> Due {
        let latest = self.latest_of_limits(amounts, ahead, now);
        let held = if self.holds.last() > 0 { self.held_for(amounts) } else { 0 };
        if held > 0 && latest.at <= held { Due { at: held, limit: HOLD } } else { latest }
    }

    /// Does the same without holds.
    #[inline]
    fn latest_of_limits(&self, amounts: &[u64], ahead: impl Fn(usize) -> Ahead, now: u64) -> Due {
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

    /// Returns the wait of a call until a moment, and what decides it: a hold, if there is one now.
    #[inline]
    fn wait_until(&self, Due { at, limit }: Due, amounts: &[u64], now: u64) -> (u64, usize) {
        let is_held = self.is_shut(now) && now < self.held_for(amounts);
        let limit = match limit {
            _ if is_held => HOLD,
            // It is over.
            HOLD if at <= now => self.latest_of_limits(amounts, |_| Ahead::default(), now).limit,
            limit => limit,
        };
        (at.saturating_sub(now), limit)
    }

    /// Notes that calls that wait may have to wait for longer than was known.
    fn set_back(&mut self) {
        self.setbacks += 1;
    }

    /// Does the same as [`take`](super::Buckets::take) while a rate climbs or during a hold.
    #[cold]
    #[inline(never)]
    fn take_slowly(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        if !self.has_room_slowly(amounts, now) {
            return None;
        }
        self.charge_as(amounts, self.charges + 1, now);
        Some(self.charges)
    }

    /// Does the same as [`has_room`](super::Buckets::has_room) while a rate climbs or during a
    /// hold. Holds of limits from which the call takes nothing do not count.
    fn has_room_slowly(&self, amounts: &[u64], now: u64) -> bool {
        if self.is_shut(now) && (self.is_exhausted() || now < self.held_for(amounts)) {
            return false;
        }
        let fits = |Meter { bucket, dimension, .. }: &Meter| {
            bucket.step(amounts[*dimension as usize], bucket.clock(now)).is_some()
        };
        self.meters.iter().all(fits)
    }

    /// Returns whether every limit has room for a call, as usual.
    fn fits(&self, amounts: &[u64], now: u64) -> bool {
        self.meters.iter().all(|meter| meter.step(amounts, now).is_some())
    }
}
