//! `AccountState`: the limits of the provider's account, and a record of every call.
//!
//! It knows neither HTTP nor JSON, and reads no clock. A call is decided as of its arrival, which
//! the caller passes in, so the tests here need no waiting. Whatever happens between two calls,
//! such as calls of another consumer, is done before the second one, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::time::{Duration, Instant};

use super::arrival::Arrival;
use super::charge::Charge;
use super::meter::Meter;
use super::others::{OtherCalls, OtherConsumer};
use super::quota::Quota;
use super::ramp::Ramp;
use super::refusal::{Exceeded, Refusal};
use crate::{Dimension, Limit, Rate};

/// The state of the provider's one account.
#[derive(Debug, Default)]
pub(super) struct AccountState {
    pub(super) meters: Vec<Box<dyn Meter>>,
    pub(super) refused_count: bool,
    pub(super) quota: Option<Quota>,
    pub(super) ramp: Option<Ramp>,
    pub(super) other: Option<OtherConsumer>,
    corrections: BinaryHeap<Reverse<Correction>>,
    arrivals: Vec<Arrival>,
}

/// A charge that will be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Correction {
    /// When.
    pub(super) at: Instant,
    /// When it was made.
    pub(super) since: Instant,
    pub(super) charged: Charge,
    pub(super) used: Charge,
}

/// The state of one dimension, for the headers of a reply.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) dimension: Dimension,
    /// The time over which `limit` is counted.
    pub(super) window: Duration,
    pub(super) limit: u64,
    pub(super) remaining: u64,
    pub(super) reset: Duration,
}

impl AccountState {
    /// Creates the state of an account with these limits.
    pub(super) fn new(meters: Vec<Box<dyn Meter>>) -> Self {
        Self { meters, ..Self::default() }
    }

    /// Takes one request with `charge` from every limit, or from none.
    pub(super) fn admit(&mut self, at: Instant, charge: Charge) -> Result<(), Refusal> {
        self.catch_up(at);
        self.quota.as_mut().map_or(Ok(()), |quota| quota.check(at)).map_err(Refusal::Quota)?;
        self.ramp.as_mut().map_or(Ok(()), |ramp| ramp.check(at)).map_err(Refusal::TooFast)?;
        self.take(charge).map_err(Refusal::Limit)?;
        self.quota.iter_mut().for_each(|quota| quota.take(at, charge.tokens));
        self.ramp.iter_mut().for_each(Ramp::take);
        Ok(())
    }

    /// Replaces a charge at a later time.
    pub(super) fn correct(&mut self, correction: Correction) {
        if correction.charged != correction.used {
            self.corrections.push(Reverse(correction));
        }
    }

    /// Returns the state of each dimension at `at`. Of several limits, it is the one with the least
    /// left.
    pub(super) fn standings(&mut self, at: Instant) -> impl Iterator<Item = Standing> {
        self.catch_up(at);
        let scarcest = |dimension| {
            let meters = self.meters.iter().filter(move |meter| *meter.limit().dimension() == dimension);
            meters.min_by_key(|meter| meter.left())
        };
        let dimensions =
            [Dimension::Requests, Dimension::Tokens, Dimension::InputTokens, Dimension::OutputTokens];
        dimensions.into_iter().filter_map(scarcest).map(|meter| Standing {
            dimension: meter.limit().dimension().clone(),
            window: meter.window(),
            limit: meter.amount(),
            remaining: u64::try_from(meter.left()).unwrap_or(0),
            reset: meter.until_full(),
        })
    }

    /// Changes the limits on a dimension that have the period of `rate`. Returns false if there is
    /// none.
    ///
    /// # Errors
    /// The rate cannot be enforced.
    pub(super) fn set_rate(&mut self, at: Instant, dimension: &Dimension, rate: Rate) -> io::Result<bool> {
        self.catch_up(at);
        let mut found = false;
        for meter in &mut self.meters {
            let limit = meter.limit();
            if limit.dimension() == dimension && limit.rate().period() == rate.period() {
                meter.set_rate(rate)?;
                found = true;
            }
        }
        Ok(found)
    }

    /// Adds a call to the record.
    pub(super) fn record(&mut self, arrival: Arrival) {
        self.arrivals.push(arrival);
    }

    pub(super) fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// Returns the calls of the other consumer until `at`.
    pub(super) fn others(&mut self, at: Instant) -> OtherCalls {
        self.catch_up(at);
        self.other.as_ref().map(OtherConsumer::calls).unwrap_or_default()
    }

    /// Forgets all calls and fills all limits.
    pub(super) fn reset(&mut self, at: Instant) {
        self.catch_up(at);
        self.arrivals.clear();
        self.corrections.clear();
        self.meters.iter_mut().for_each(|meter| meter.fill());
        self.quota.iter_mut().for_each(Quota::fill);
        self.ramp.iter_mut().for_each(Ramp::reset);
        self.other.iter_mut().for_each(OtherConsumer::forget_calls);
    }

    /// Does what happened until `at`.
    fn catch_up(&mut self, at: Instant) {
        loop {
            let correction = self.corrections.peek().map(|Reverse(correction)| correction.at);
            let call = self.other.as_ref().map(OtherConsumer::next);
            let Some(next) = correction.into_iter().chain(call).min().filter(|next| *next <= at) else {
                break;
            };
            self.meters.iter_mut().for_each(|meter| meter.read(next));
            if correction == Some(next) {
                if let Some(Reverse(correction)) = self.corrections.pop() {
                    self.replace(correction);
                }
            } else if let Some(charge) = self.other.as_mut().and_then(OtherConsumer::step) {
                let was_admitted = self.take(charge).is_ok();
                self.other.iter_mut().for_each(|other| other.count(was_admitted));
            }
        }
        self.meters.iter_mut().for_each(|meter| meter.read(at));
    }

    fn take(&mut self, charge: Charge) -> Result<(), Exceeded> {
        let cost = |limit: &Limit| charge.of(limit);
        let too_large = self.meters.iter().position(|meter| cost(meter.limit()) > meter.most());
        if too_large.is_none() && self.meters.iter().all(|meter| meter.wait(cost(meter.limit())).is_zero()) {
            self.meters.iter_mut().for_each(|meter| meter.take(cost(meter.limit())));
            return Ok(());
        }
        if self.refused_count {
            // Never into debt. A client that retries at once keeps the limit used up, and can
            // recover.
            let requests =
                self.meters.iter_mut().filter(|meter| *meter.limit().dimension() == Dimension::Requests);
            requests.for_each(|meter| meter.take_what_is_left(1));
        }
        if let Some(meter) = too_large.map(|index| &self.meters[index]) {
            return Err(Exceeded::new(&**meter, charge, None));
        }
        let waits = self.meters.iter().map(|meter| (meter.wait(cost(meter.limit())), meter));
        let longest = waits.max_by_key(|(wait, _)| *wait);
        longest.map_or(Ok(()), |(wait, meter)| Err(Exceeded::new(&**meter, charge, Some(wait))))
    }

    /// Takes what was used in place of what was charged. It was one request before, and stays one.
    fn replace(&mut self, correction: Correction) {
        for meter in &mut self.meters {
            let charged = correction.charged.of(meter.limit());
            let used = correction.used.of(meter.limit());
            meter.give_back(charged.saturating_sub(used), correction.since);
            meter.take(used.saturating_sub(charged));
        }
    }
}

#[cfg(test)]
mod tests;
