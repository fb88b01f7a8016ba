//! Changes the rate of a bucket, and stops it.
//!
//! Rates change in two ways. If the provider allows another rate, the same amount has another
//! weight. After a refusal, and during a hold, the bucket's clock runs slower than the real one, or
//! stands: see `climb`.

use std::sync::Arc;

use super::climb::Climb;
use super::level::Level;
use super::pace::Pace;
use super::word::Word;

/// The largest factor by which a rate is slowed down. A level of 64 bits has room for that.
pub(crate) const SLOWEST: u64 = 8;

/// The largest factor by which a rate is raised, whatever a header says. From the rates at which
/// the discovery of limits starts, it reaches beyond the limits of any provider.
pub(crate) const FASTEST: u64 = 1 << 16;

impl<W: Word> Level<W> {
    /// Changes the rate to `allowed` of what was `declared`. The same amount has another weight
    /// from then on, after the charge `since`, and what is in the bucket stays.
    ///
    /// But if the rate was never as fast, what is in the bucket weighs less by as much: otherwise a
    /// few calls at a low rate would block a high one for long. The levels before are of another
    /// weight then, so nothing of those charges can be refunded. It happens once for each rate, so
    /// rates that alternate do not drain the bucket.
    pub(super) fn set_rate(&mut self, allowed: u64, declared: u64, since: u64, now: u64) {
        let now = self.clock(now);
        let pace = self.pace(since);
        let (wide, least): (u128, W) = (pace.unit.into(), pace.least);
        let unit = wide.saturating_mul(declared.into()).div_ceil(allowed.max(1).into());
        let slowest = wide.saturating_mul(SLOWEST.into());
        let unit = W::narrowed(unit.clamp(wide.div_ceil(FASTEST.into()), slowest));
        (pace.least, pace.since) = (least.min(unit), since);
        Arc::make_mut(&mut self.terms).unit = unit;
        let level = self.level_at(now);
        if unit < least && level > W::default() {
            self.raise(W::default(), level.part(unit, least), since, now);
        }
    }

    /// Halves the rate, which then climbs back. Does nothing if it was cut already after `charge`,
    /// which was refused. `last` is the last charge. Returns whether it was cut.
    pub(super) fn cut(&mut self, span: u64, charge: u64, last: u64, now: u64) -> bool {
        // During a hold the rate stands still.
        let from = now.max(self.time(self.at));
        let pace = self.pace(0);
        if charge <= pace.cut {
            return false;
        }
        pace.cut = last;
        let climb = pace.climb.cut(span, from);
        self.set_climb(climb, now);
        true
    }

    /// Replaces the climb of the rate. The level stays.
    pub(super) fn set_climb(&mut self, climb: Climb, now: u64) {
        let (from, is_new) = (now.max(self.time(self.at)), self.is_new());
        let shown = self.clock(from);
        self.pace(0).climb = climb;
        // A bucket that was never used stays so.
        if !is_new {
            self.at = self.at.saturating_add(self.clock(from)).saturating_sub(shown);
        }
    }

    /// Returns when the rate is whole again after a cut. It may be over.
    pub(super) fn climbs_until(&self) -> u64 {
        self.pace.as_ref().map_or(0, |pace| pace.climb.end())
    }

    /// Raises the burst to `amount`, if it is less, but to no more than one call may take.
    pub(super) fn widen(&mut self, amount: u64) {
        // A slower rate may recover, and a faster one is the provider's own.
        let unit = self.pace.as_ref().map_or(self.terms.unit, |pace| pace.unit.min(self.terms.unit));
        let burst = unit.times(amount.min(self.terms.most));
        if burst > self.terms.burst {
            let terms = Arc::make_mut(&mut self.terms);
            (terms.burst, terms.fit) = (burst, burst.minus(terms.jitter));
        }
    }

    /// Stops the leak until `until`. The level stands until then, and so does a climb of the rate.
    pub(super) fn freeze(&mut self, until: u64, now: u64) {
        self.level = self.level_at(self.clock(now));
        // It may stand for longer already.
        let until = until.max(self.time(self.at));
        self.move_climb(until, now);
        self.at = self.at.max(self.clock(until));
    }

    /// Ends that at `now`, if it is not over.
    pub(super) fn thaw(&mut self, now: u64) {
        self.move_climb(now, now);
        self.at = self.at.min(self.clock(now));
    }

    /// Lets a climb go on at `to`, from where it stands at `now` or at the end of a hold.
    fn move_climb(&mut self, to: u64, now: u64) {
        let from = now.max(self.time(self.at));
        if let Some(pace) = &mut self.pace {
            pace.climb = pace.climb.moved(from, to);
        }
    }

    /// Returns the pace, of which a new one is as declared.
    fn pace(&mut self, since: u64) -> &mut Pace<W> {
        let unit = self.terms.unit;
        self.pace.get_or_insert_with(|| {
            Box::new(Pace { unit, least: unit, since, eras: Vec::new(), climb: Climb::default(), cut: 0 })
        })
    }

    /// Returns what the bucket's clock shows at a real time.
    #[inline]
    pub(super) fn clock(&self, time: u64) -> u64 {
        self.pace.as_ref().map_or(time, |pace| pace.climb.clock(time))
    }

    /// Returns the real time at which the bucket's clock shows `shown`.
    #[inline(never)]
    pub(super) fn time(&self, shown: u64) -> u64 {
        self.pace.as_ref().map_or(shown, |pace| pace.climb.time(shown))
    }

    /// Returns the part of the declared rate at which the bucket leaks, as a fraction.
    pub(super) fn part(&self, now: u64) -> (u128, u128) {
        self.pace.as_ref().map_or((1, 1), |pace| {
            let (part, of) = pace.climb.part(now);
            let (declared, unit): (u128, u128) = (pace.unit.into(), self.terms.unit.into());
            (declared.saturating_mul(part.into()), unit.saturating_mul(of.into()))
        })
    }
}
