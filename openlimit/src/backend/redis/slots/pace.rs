//! The pace of shared limits: what a refusal cut, and what the provider allows.
//!
//! The script does not know the pace. Each client lets its calls weigh more, by the pace at the
//! moment at which it requests them. The server keeps when each climb ends, and one client tells it
//! of a refusal. So all clients have the same pace, one batch later at most.
//!
//! A call that is granted ahead keeps its weight while the rate climbs on. Within the look-ahead
//! that is a percent of the rate at most.
//!
//! Weights are times of the rate, so the bound holds in weights: what is granted in any window of
//! length `w` weighs at most `w` and the burst (or the largest call), each call by the pace at
//! which it was requested. What is in the buckets when a rate is raised keeps its weight, too,
//! until it has leaked. In memory it weighs less then.
//!
//! A client that does not adopt higher limits is never faster than declared, whatever others adopt:
//! its calls keep their weight.

use std::mem;

use super::state::{KnownClimb, LOCAL, Slots};
use crate::backend::Buckets as _;
use crate::backend::redis::changes::PaceChange;
use crate::backend::redis::scale::{ONE, Scale};
use crate::backend::redis::wire::BatchReply;
use crate::bucket::Climb;

impl Slots {
    /// Halves the rate of a limit, unless it was cut after `charge` already, and sends that to the
    /// server at once, or at the end of the outage if this process decides alone. A limit that
    /// resets has no pace that could be halved.
    pub(super) fn cut_limit(&mut self, place: usize, span: u64, charge: u64, now: u64) -> bool {
        let bucket = self.bucket_of(place).filter(|bucket| !self.scales[*bucket].resets());
        let Some(bucket) = bucket else { return false };
        let last = self.ledger.charges();
        let was_alone = charge >= LOCAL;
        // The server does not know such a charge. Its number counts in the buckets of this process.
        if was_alone && !self.alone.share.cut(place, span, charge, now) {
            return false;
        }
        let is_local = self.is_local();
        let charge = if was_alone { last } else { charge };
        if charge <= self.climbs[bucket].cut && !(was_alone && is_local) {
            return false;
        }
        if !was_alone {
            self.alone.share.cut(place, span, u64::MAX, now);
        }
        for bucket in self.buckets_of(place) {
            let from = now.max(self.opens_at(bucket));
            let known = &mut self.climbs[bucket];
            *known =
                KnownClimb { climb: known.climb.cut(span, from), cut: last.max(charge), is_untold: is_local };
            if is_local {
                self.alone.share.set_climb(self.places[bucket], known.climb, now);
                continue;
            }
            // A restored climb takes the place of a cut in the same batch.
            let restored = self.ledger.pace_change(bucket).rest > 0;
            let rest = if restored { known.climb.missing(from) } else { 0 };
            self.ledger.change_pace(bucket, PaceChange { refused: charge, span, rest, rate: 0 });
        }
        if !is_local {
            self.flush_at = self.flush_at.min(now);
        }
        self.set_paces(now);
        true
    }

    /// Lets the buckets of this process follow the climbs that it knows, because they decide now.
    pub(super) fn climb_alone(&mut self, now: u64) {
        for (place, known) in self.places.iter().zip(&self.climbs) {
            self.alone.share.set_climb(*place, known.climb, now);
        }
    }

    /// Tells the server of the rates that this process cut while it decided alone.
    pub(super) fn tell_climbs(&mut self, now: u64) {
        for bucket in 0..self.climbs.len() {
            let from = now.max(self.opens_at(bucket));
            let known = &mut self.climbs[bucket];
            if mem::take(&mut known.is_untold) {
                let (rest, span) = (known.climb.missing(from), known.climb.part(from).1);
                self.ledger.change_pace(bucket, PaceChange { rest, span, ..PaceChange::default() });
            }
        }
    }

    /// Changes the rate of a bucket to `allowed` of what was `declared`, and tells the server.
    pub(super) fn set_rate_of_bucket(&mut self, bucket: usize, allowed: u64, declared: u64, now: u64) {
        self.scales[bucket].set_rate(allowed, declared);
        let rate = self.scales[bucket].rate();
        self.ledger.change_pace(bucket, PaceChange { rate, ..PaceChange::default() });
        self.flush_soon(now);
        self.set_paces(now);
    }

    /// Takes over what a reply says about the paces, apart from changes that the server does not
    /// know yet. If the server has `lost` its state, this client tells it what it knows.
    pub(super) fn learn_paces(&mut self, reply: &BatchReply, lost: bool, now: u64) {
        for (bucket, pace) in reply.paces.iter().enumerate() {
            let place = self.places[bucket];
            let own = self.ledger.pace_change(bucket);
            let climb = self.climbs[bucket].climb;
            let rest = climb.missing(now.max(self.opens_at(bucket)));
            let rate = self.scales[bucket].rate();
            if lost {
                let (span, rate) = (climb.part(now).1, if rate == ONE { 0 } else { rate });
                self.ledger.change_pace(bucket, PaceChange { refused: 0, span, rest, rate });
                self.flush_soon(now);
                continue;
            }
            if own.refused == 0 && own.rest == 0 {
                // It stands still until the end of the hold, which may be another one here.
                let from = self.seen_at.saturating_add(reply.held_for.max(reply.buckets[bucket].shut_for));
                let climb = Climb::ending_in(pace.rest, pace.span, self.seen_at);
                let opens_at = self.opens_at(bucket);
                let to = if opens_at > now { opens_at } else { from.min(now) };
                let climb = climb.moved(from, to);
                self.climbs[bucket] = KnownClimb { climb, cut: pace.cut, is_untold: false };
            }
            if own.rate == 0 && pace.rate > 0 {
                // Another client may adopt a higher rate than this one.
                let scale = &mut self.scales[bucket];
                scale.set_rate(pace.rate, ONE);
                if scale.rate() != rate && bucket < self.limits {
                    self.alone.share.set_rate(place, scale.rate(), ONE, now);
                }
            }
        }
        self.set_paces(now);
    }

    /// Sets the weights of calls by the paces at `now`, or at the ends of holds.
    pub(super) fn set_paces(&mut self, now: u64) {
        // The calls in flight weigh as before. Their charges have no numbers yet. They will have
        // lower ones than those that are made alone.
        let since = match self.in_flight {
            _ if self.is_local() => self.alone.share.next_charge() - 1,
            Some(_) => LOCAL - 1,
            None => self.ledger.charges(),
        };
        for bucket in 0..self.scales.len() {
            let from = now.max(self.opens_at(bucket));
            self.scales[bucket].set_pace(self.climbs[bucket].climb.part(from), since);
        }
    }

    /// Returns the scale of a bucket by the pace at another time.
    pub(super) fn scale_at(&self, bucket: usize, time: u64) -> Scale {
        let mut scale = self.scales[bucket];
        scale.set_pace(self.climbs[bucket].climb.part(time), 0);
        scale
    }

    /// Returns true if the rate of a bucket was cut and is not whole again.
    pub(super) fn bucket_climbs(&self, bucket: usize, now: u64) -> bool {
        now < self.climbs[bucket].climb.end()
    }

    /// Returns the pace of a bucket, as a part of the declared rate.
    pub(super) fn pace(&self, bucket: usize, now: u64) -> (u128, u128) {
        let (part, of) = self.climbs[bucket].climb.part(now.max(self.opens_at(bucket)));
        (u128::from(self.scales[bucket].rate()) * u128::from(part), u128::from(ONE) * u128::from(of))
    }
}
