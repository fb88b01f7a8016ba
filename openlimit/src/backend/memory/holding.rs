//! Holds calls, or those of one limit, and ends that.
//!
//! During a hold nothing leaks. So the buckets stand as they were, and the calls that waited for
//! its end leave one by one.

use super::Memory;

/// The latest end of a hold. A later one says that a quota is used up.
pub(super) const LAST_END: u64 = u64::MAX - 1;

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
