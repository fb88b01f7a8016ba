//! `Holds`: when the holds of buckets in memory end.
//!
//! Holds are rare. So it is one pointer, and leaves the cache line of the lock to what every call
//! reads.

use super::Memory;

/// The latest end of a hold. A later one says that a quota is used up.
pub(super) const LAST_END: u64 = u64::MAX - 1;

/// The ends of holds. Zero stands for none, and each may be over.
#[derive(Debug, Default)]
pub(super) struct Holds(Option<Box<Ends>>);

#[derive(Debug)]
struct Ends {
    /// Of the last hold of any kind.
    last: u64,
    /// Of the hold of all calls.
    all: u64,
    /// Of the holds of single limits.
    limits: Box<[u64]>,
}

impl Holds {
    /// Returns when the last hold of any kind ends; the largest value while a quota is used up, and
    /// once the limiter is closed.
    #[inline]
    pub(super) fn last(&self) -> u64 {
        self.0.as_ref().map_or(0, |ends| ends.last)
    }

    /// Returns the end of the hold of all calls.
    pub(super) fn all(&self) -> u64 {
        self.0.as_ref().map_or(0, |ends| ends.all)
    }

    /// Returns the end of the hold of one limit.
    pub(super) fn limit(&self, place: usize) -> u64 {
        self.0.as_ref().map_or(0, |ends| ends.limits[place])
    }

    /// Moves the end of the last hold to `until`, if that is later. `limits` is the number of
    /// limits.
    pub(super) fn prolong(&mut self, until: u64, limits: usize) {
        let last = &mut self.ends(limits).last;
        *last = until.max(*last);
    }

    /// Returns the end of the hold of all calls, to change it.
    pub(super) fn all_mut(&mut self, limits: usize) -> &mut u64 {
        &mut self.ends(limits).all
    }

    /// Returns the end of the hold of one of so many limits, to change it.
    pub(super) fn limit_mut(&mut self, place: usize, limits: usize) -> &mut u64 {
        &mut self.ends(limits).limits[place]
    }

    /// Returns the latest end of the holds of single limits.
    fn latest_limit(&self) -> u64 {
        self.0.as_ref().and_then(|ends| ends.limits.iter().max().copied()).unwrap_or(0)
    }

    /// Ends the hold of all calls. Holds of single limits stay.
    pub(super) fn end_all(&mut self) {
        let last = self.latest_limit();
        if let Some(ends) = &mut self.0 {
            (ends.last, ends.all) = (last, 0);
        }
    }

    /// Ends the holds of single limits.
    pub(super) fn end_limits(&mut self) {
        if let Some(ends) = &mut self.0 {
            ends.limits.fill(0);
        }
    }

    fn ends(&mut self, limits: usize) -> &mut Ends {
        self.0.get_or_insert_with(|| Box::new(Ends { last: 0, all: 0, limits: vec![0; limits].into() }))
    }
}

impl Memory {
    /// Returns when the holds end that a call of these amounts has to wait for.
    #[cold]
    #[inline(never)]
    pub(super) fn held_for(&self, amounts: &[u64]) -> u64 {
        let takes = self.meters.iter().enumerate().filter(|(_, meter)| amounts[meter.dimension()] > 0);
        takes.map(|(place, _)| self.holds.limit(place)).fold(self.holds.all(), u64::max)
    }

    /// Moves the end of the hold of all calls to `until`, if that is later. The levels stand.
    pub(super) fn prolong(&mut self, until: u64, now: u64) {
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
    pub(super) fn end_hold(&mut self, now: u64) {
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

    /// Notes from when on calls are admitted as usual, after a hold or a climb has changed.
    pub(super) fn note_usual(&mut self) {
        let climbs = self.meters.iter().map(|meter| meter.bucket.climbs_until());
        self.usual_from = climbs.fold(self.holds.last(), u64::max);
    }
}
