//! `Ledger`: who was admitted. The meters, and the record of every call that arrived.
//!
//! It knows neither HTTP nor JSON, and reads no clock: a call is judged as of its arrival.

use std::time::{Duration, Instant};

use super::Arrival;
use super::meter::Meter;
use crate::{Dimension, Limit};

#[derive(Debug)]
pub(super) struct Ledger {
    meters: Vec<Meter>,
    refused_count: bool,
    arrivals: Vec<Arrival>,
}

/// Why a call was refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) limit: Limit,
    /// How much of the limit counts as used, so that `used + requested - limit` is what is missing.
    pub(super) used: i128,
    pub(super) requested: u64,
    /// How long until it would have fitted; `None` for a call above the whole limit.
    pub(super) wait: Option<Duration>,
}

/// Where one dimension stands, for the headers.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) dimension: Dimension,
    pub(super) limit: u64,
    pub(super) remaining: u64,
    pub(super) reset: Duration,
}

impl Ledger {
    pub(super) fn new(meters: Vec<Meter>, refused_count: bool) -> Self {
        Self { meters, refused_count, arrivals: Vec::new() }
    }

    /// Takes one request with `tokens` from every limit, or from none.
    pub(super) fn admit(&mut self, at: Instant, tokens: u64) -> Result<(), Refusal> {
        self.meters.iter_mut().for_each(|meter| meter.read(at));
        let too_large = self.meters.iter().position(|meter| cost(meter, tokens) > meter.most());
        if too_large.is_none() && self.meters.iter().all(|meter| meter.wait(cost(meter, tokens)).is_zero()) {
            self.meters.iter_mut().for_each(|meter| meter.take(cost(meter, tokens)));
            return Ok(());
        }
        if self.refused_count {
            // Never into debt: a client that hammers keeps the bucket empty, and can still recover.
            let requests = self.meters.iter_mut().filter(|meter| counts_requests(meter));
            requests.for_each(|meter| meter.take_what_is_left(1));
        }
        if let Some(meter) = too_large.map(|index| &self.meters[index]) {
            return Err(Refusal::new(meter, tokens, None));
        }
        let waits = self.meters.iter().map(|meter| (meter.wait(cost(meter, tokens)), meter));
        let longest = waits.max_by_key(|(wait, _)| *wait);
        longest.map_or(Ok(()), |(wait, meter)| Err(Refusal::new(meter, tokens, Some(wait))))
    }

    /// Charges `used` tokens in place of `charged`.
    pub(super) fn correct(&mut self, at: Instant, charged: u64, used: u64) {
        for meter in self.meters.iter_mut().filter(|meter| !counts_requests(meter)) {
            meter.read(at);
            meter.give_back(charged.saturating_sub(used));
            meter.take(used.saturating_sub(charged));
        }
    }

    /// Where each dimension stands at `at`: for one with several limits, the one with the least left.
    pub(super) fn standings(&mut self, at: Instant) -> impl Iterator<Item = Standing> {
        self.meters.iter_mut().for_each(|meter| meter.read(at));
        let scarcest = |dimension| {
            let meters = self.meters.iter().filter(move |meter| *meter.limit().dimension() == dimension);
            meters.min_by_key(|meter| meter.left())
        };
        [Dimension::Requests, Dimension::Tokens].into_iter().filter_map(scarcest).map(|meter| Standing {
            dimension: meter.limit().dimension().clone(),
            limit: meter.limit().rate().amount(),
            remaining: u64::try_from(meter.left()).unwrap_or(0),
            reset: meter.until_full(),
        })
    }

    pub(super) fn record(&mut self, arrival: Arrival) {
        self.arrivals.push(arrival);
    }

    pub(super) fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// Forgets every arrival and fills every bucket.
    pub(super) fn reset(&mut self) {
        self.arrivals.clear();
        self.meters.iter_mut().for_each(Meter::fill);
    }
}

impl Refusal {
    fn new(meter: &Meter, tokens: u64, wait: Option<Duration>) -> Self {
        Self {
            limit: meter.limit().clone(),
            used: i128::from(meter.limit().rate().amount()) - meter.left(),
            requested: cost(meter, tokens),
            wait,
        }
    }
}

fn cost(meter: &Meter, tokens: u64) -> u64 {
    if counts_requests(meter) { 1 } else { tokens }
}

fn counts_requests(meter: &Meter) -> bool {
    *meter.limit().dimension() == Dimension::Requests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rate;

    fn ledger(requests: u64, tokens: u64, refused_count: bool) -> (Ledger, Instant) {
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        let limit = |dimension: Dimension, amount| {
            Meter::new(Limit::new(dimension.name().to_owned(), Rate::per_minute(amount).burst(minute)), now)
        };
        let meters = [limit(Dimension::Requests, requests), limit(Dimension::Tokens, tokens)];
        let meters = meters.into_iter().collect::<Result<_, _>>().expect("sound limits");
        (Ledger::new(meters, refused_count), now)
    }

    fn left(ledger: &mut Ledger, at: Instant) -> Vec<u64> {
        ledger.standings(at).map(|standing| standing.remaining).collect()
    }

    #[test]
    fn a_refused_call_takes_nothing_from_any_limit() {
        let (mut ledger, now) = ledger(60, 1_000, false);
        assert!(ledger.admit(now, 900).is_ok());
        let refusal = ledger.admit(now, 200).expect_err("100 are left");
        assert_eq!(refusal.limit.dimension(), &Dimension::Tokens);
        assert_eq!((refusal.used, refusal.requested), (900, 200));
        assert_eq!(refusal.wait, Some(Duration::from_secs(6)));
        assert_eq!(left(&mut ledger, now), [59, 100]);
    }

    #[test]
    fn a_refused_call_takes_a_request_where_they_count() {
        let (mut ledger, now) = ledger(3, 1_000, true);
        assert!(ledger.admit(now, 1_000).is_ok());
        (0..4).for_each(|_| assert!(ledger.admit(now, 1).is_err()));
        assert_eq!(left(&mut ledger, now), [0, 0]);
        assert!(ledger.admit(now + Duration::from_secs(20), 1).is_ok());
    }

    #[test]
    fn the_limit_that_asks_for_the_longest_wait_is_named() {
        let (mut ledger, now) = ledger(1, 60_000, false);
        assert!(ledger.admit(now, 60_000).is_ok());
        let refusal = ledger.admit(now, 1_000).expect_err("both are empty");
        assert_eq!(refusal.limit.to_string(), "1 requests / minute");
        assert_eq!(refusal.wait, Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_call_above_the_whole_limit_is_refused_for_ever() {
        let (mut ledger, now) = ledger(60, 1_000, false);
        let refusal = ledger.admit(now, 1_001).expect_err("it is above the limit");
        assert_eq!(refusal.wait, None);
        assert!(ledger.admit(now, 1_000).is_ok());
    }

    #[test]
    fn a_call_above_the_whole_limit_counts_as_a_request_where_the_refused_count() {
        let (mut ledger, now) = ledger(60, 1_000, true);
        assert!(ledger.admit(now, 1_001).is_err());
        assert_eq!(left(&mut ledger, now), [59, 1_000]);
    }

    #[test]
    fn a_provider_without_limits_admits_everything() {
        let mut ledger = Ledger::new(Vec::new(), true);
        assert!(ledger.admit(Instant::now(), u64::MAX).is_ok());
        assert_eq!(ledger.standings(Instant::now()).count(), 0);
    }
}
