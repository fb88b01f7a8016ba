//! Changes the limits of a limiter whose buckets are in Redis, and resets them.
//!
//! An update of this process becomes a newer identity, which the next batch gives to the state. An
//! update of another process is met when a batch is refused: this one is older, and takes it over.
//! `identity` says which of two is newer.
//!
//! Levels are times of the rate, and charges keep what they weigh. So what was granted under
//! earlier limits is given back by their scales (`Past`), and slots that were granted are given
//! back and requested anew.

use std::sync::Arc;

use super::past::{MOST_PAST, Past};
use super::state::{KnownClimb, Slots};
use crate::backend::redis::identity::Identity;
use crate::backend::redis::scale::{MOST, ONE, Scale};
use crate::backend::redis::shared::{jitter_of, shared};
use crate::backend::{Buckets as _, Newer, Starting};
use crate::bucket::Metering;
use crate::error::BuildProblem;
use crate::time::nanos;

/// What a client does whose limits are not those of the state.
#[derive(Debug)]
pub(crate) enum Met {
    /// The two cannot be mixed.
    Other,
    /// The limits of the state are newer.
    Older(Newer),
    /// Another update came first, and this one is newer than that from now on.
    SameAge,
}

impl Slots {
    /// Sets the identity of a limiter that is being opened.
    pub(in crate::backend::redis) fn identified(self, identity: Identity) -> Self {
        Self { identity: Arc::new(identity), ..self }
    }

    /// Returns the limits for which the next batch is made.
    pub(in crate::backend::redis) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity)
    }

    /// Compares the limits with those of the state, because the batch in flight was refused for
    /// them. Takes that batch back, unless they cannot be mixed.
    pub(in crate::backend::redis) fn meet(&mut self, theirs: &str) -> Met {
        let Some((limits, version)) = self.identity.read(theirs) else { return Met::Other };
        // The program may have updated the limits again since the batch was made.
        let is_unsent = self.is_update_pending && !self.is_update_sent;
        if version == 0 || version < self.identity.version() && !is_unsent {
            return Met::Other;
        }
        self.take_back();
        self.flush_at = 0;
        if self.is_update_pending {
            let version = self.identity.version().max(version + 1);
            self.identity = Arc::new((*self.identity).clone().with_version(version));
            return Met::SameAge;
        }
        let mut by_place = limits.clone();
        for (place, limit) in self.places.iter().zip(limits) {
            by_place[*place] = limit;
        }
        Met::Older(Newer { limits: by_place, version })
    }

    /// Takes the batch in flight back, which the server has not decided. The next batch carries all
    /// that was in it, but for its calls.
    pub(in crate::backend::redis) fn take_back(&mut self) {
        self.in_flight = None;
        self.is_update_sent = false;
        self.ledger.take_back();
        // Charges of the next batch weigh by the limits as they are now.
        self.decided(self.ledger.charges());
    }

    /// Changes the limits, to those of this version if another process has updated them.
    pub(super) fn change_limits(
        &mut self,
        limits: &Starting<'_>,
        version: Option<u64>,
        now: u64,
    ) -> Result<(), BuildProblem> {
        let (scales, identity) = shared(limits, &self.places)?;
        self.turn(now);
        self.drop_all(now);
        self.setbacks += 1;
        // What was granted until now weighs by the earlier limits.
        self.marks.iter_mut().for_each(|marks| marks.clear());
        let changes = !identity.has_same_limits(&self.identity);
        let last = if self.in_flight.is_some() { u64::MAX } else { self.ledger.charges() };
        let scales: Box<[Scale]> =
            scales.into_iter().zip(&self.scales).map(|(new, old)| new.at_pace_of(old)).collect();
        self.half_burst = Scale::half_burst(&scales);
        let before = std::mem::replace(&mut self.scales, scales);
        // Without a charge since the last change, none weighs by these scales.
        if self.past.last().is_none_or(|past| past.last != last) {
            self.past.push(Past { last, scales: before });
        }
        if self.past.len() > MOST_PAST {
            self.forgotten = self.past.remove(0).last;
        }
        self.set_paces(now);
        self.terms.jitter = nanos(jitter_of(limits.meterings)).min(MOST);
        self.change_alone(limits, now);
        let own = self.identity.version() + u64::from(changes);
        self.identity = Arc::new(identity.with_version(version.unwrap_or(own)));
        if changes {
            self.is_update_pending = version.is_none();
            self.is_update_sent = false;
            self.flush_at = self.flush_at.min(now);
            (self.ask_at, self.below_at) = (0, 0);
        }
        Ok(())
    }

    fn change_alone(&mut self, limits: &Starting<'_>, now: u64) {
        let meterings = self.share_of(limits.meterings);
        self.alone.change(&limits.metered_by(&meterings), now);
        // The provider still allows what it said.
        for (place, scale) in self.places[..self.limits].iter().zip(&self.scales) {
            if scale.rate() != ONE {
                self.alone.share.set_rate(*place, scale.rate(), ONE, now);
            }
        }
    }

    /// Returns how this process meters the limits during an outage.
    fn share_of(&self, meterings: &[Metering]) -> Vec<Metering> {
        meterings.iter().map(|metering| self.terms.on_outage.part(metering)).collect()
    }

    /// Makes the buckets as new, for all processes, with the next batch.
    pub(super) fn reset_buckets(&mut self, limits: &Starting<'_>, now: u64) {
        self.slots.clear();
        self.below.clear();
        self.held.fill(0);
        self.ledger.reset();
        self.climbs.fill(KnownClimb::default());
        self.scales.iter_mut().for_each(|scale| scale.set_rate(1, 1));
        self.set_paces(now);
        (self.held_until, self.is_exhausted, self.probe_slot, self.ask_at) = (0, false, 0, 0);
        (self.below_at, self.head_shut_until, self.changed_at) = (0, 0, None);
        self.given_at = None;
        self.shut_until.fill(0);
        self.windows.iter_mut().for_each(|windows| windows.highest = 0);
        let meterings = self.share_of(limits.meterings);
        self.alone.reset(&limits.metered_by(&meterings), now);
        self.flush_at = self.flush_at.min(now);
    }

    /// Returns the weight to give back for an amount of a charge in one bucket.
    pub(super) fn weight_of(&self, bucket: usize, amount: u64, charge: u64) -> u64 {
        if charge <= self.forgotten {
            return 0;
        }
        match self.past.iter().find(|past| charge <= past.last) {
            Some(past) => past.refund(bucket, amount, charge),
            None => self.scales[bucket].refund(amount, charge),
        }
    }

    /// Notes the last charge of the batch that was in flight when the limits were changed.
    pub(super) fn decided(&mut self, charges: u64) {
        self.past.iter_mut().for_each(|past| past.last = past.last.min(charges));
        if !self.is_local() {
            self.scales.iter_mut().for_each(|scale| scale.decided(charges));
        }
        if std::mem::take(&mut self.is_update_sent) {
            self.is_update_pending = false;
        }
    }
}
