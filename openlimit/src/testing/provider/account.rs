//! `AccountState`: the buckets of the provider's limits, and a record of every call.
//!
//! It knows neither HTTP nor JSON, and reads no clock. A call is decided as of its arrival, which
//! the caller passes in, so the tests here need no waiting.

use std::time::{Duration, Instant};

use super::arrival::Arrival;
use super::bucket::StrictBucket;
use crate::{Dimension, Limit};

/// The state of the provider's one account.
#[derive(Debug)]
pub(super) struct AccountState {
    buckets: Vec<StrictBucket>,
    refused_count: bool,
    arrivals: Vec<Arrival>,
}

/// The refusal of a call by a limit.
#[derive(Debug)]
pub(super) struct Exceeded {
    pub(super) limit: Limit,
    /// The part of the limit that counts as used, so that `used + requested - limit` is missing.
    pub(super) used: i128,
    pub(super) requested: u64,
    /// The time after which the call would have fitted; `None` for a call above the whole limit.
    pub(super) wait: Option<Duration>,
}

/// The state of one dimension, for the headers of a reply.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) dimension: Dimension,
    pub(super) limit: u64,
    pub(super) remaining: u64,
    pub(super) reset: Duration,
}

impl AccountState {
    pub(super) fn new(buckets: Vec<StrictBucket>, refused_count: bool) -> Self {
        Self { buckets, refused_count, arrivals: Vec::new() }
    }

    /// Takes one request with `tokens` from every limit, or from none.
    pub(super) fn admit(&mut self, at: Instant, tokens: u64) -> Result<(), Exceeded> {
        self.buckets.iter_mut().for_each(|bucket| bucket.read(at));
        let too_large = self.buckets.iter().position(|bucket| cost(bucket, tokens) > bucket.most());
        if too_large.is_none()
            && self.buckets.iter().all(|bucket| bucket.wait(cost(bucket, tokens)).is_zero())
        {
            self.buckets.iter_mut().for_each(|bucket| bucket.take(cost(bucket, tokens)));
            return Ok(());
        }
        if self.refused_count {
            // Never into debt. A client that retries at once keeps the bucket empty, and can
            // recover.
            let requests = self.buckets.iter_mut().filter(|bucket| counts_requests(bucket));
            requests.for_each(|bucket| bucket.take_what_is_left(1));
        }
        if let Some(bucket) = too_large.map(|index| &self.buckets[index]) {
            return Err(Exceeded::new(bucket, tokens, None));
        }
        let waits = self.buckets.iter().map(|bucket| (bucket.wait(cost(bucket, tokens)), bucket));
        let longest = waits.max_by_key(|(wait, _)| *wait);
        longest.map_or(Ok(()), |(wait, bucket)| Err(Exceeded::new(bucket, tokens, Some(wait))))
    }

    /// Charges `used` tokens in place of `charged`.
    pub(super) fn correct(&mut self, at: Instant, charged: u64, used: u64) {
        for bucket in self.buckets.iter_mut().filter(|bucket| !counts_requests(bucket)) {
            bucket.read(at);
            bucket.give_back(charged.saturating_sub(used));
            bucket.take(used.saturating_sub(charged));
        }
    }

    /// Returns the state of each dimension at `at`. Of several limits, it is the one with the least
    /// left.
    pub(super) fn standings(&mut self, at: Instant) -> impl Iterator<Item = Standing> {
        self.buckets.iter_mut().for_each(|bucket| bucket.read(at));
        let scarcest = |dimension| {
            let buckets = self.buckets.iter().filter(move |bucket| *bucket.limit().dimension() == dimension);
            buckets.min_by_key(|bucket| bucket.left())
        };
        [Dimension::Requests, Dimension::Tokens].into_iter().filter_map(scarcest).map(|bucket| Standing {
            dimension: bucket.limit().dimension().clone(),
            limit: bucket.limit().rate().amount(),
            remaining: u64::try_from(bucket.left()).unwrap_or(0),
            reset: bucket.until_full(),
        })
    }

    /// Adds a call to the record.
    pub(super) fn record(&mut self, arrival: Arrival) {
        self.arrivals.push(arrival);
    }

    pub(super) fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// Forgets all calls and fills all buckets.
    pub(super) fn reset(&mut self) {
        self.arrivals.clear();
        self.buckets.iter_mut().for_each(StrictBucket::fill);
    }
}

impl Exceeded {
    fn new(bucket: &StrictBucket, tokens: u64, wait: Option<Duration>) -> Self {
        Self {
            limit: bucket.limit().clone(),
            used: i128::from(bucket.limit().rate().amount()) - bucket.left(),
            requested: cost(bucket, tokens),
            wait,
        }
    }
}

/// Returns what a call of `tokens` takes from a bucket.
fn cost(bucket: &StrictBucket, tokens: u64) -> u64 {
    if counts_requests(bucket) { 1 } else { tokens }
}

fn counts_requests(bucket: &StrictBucket) -> bool {
    *bucket.limit().dimension() == Dimension::Requests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rate;

    fn account(requests: u64, tokens: u64, refused_count: bool) -> (AccountState, Instant) {
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        let limit = |dimension: Dimension, amount| {
            StrictBucket::new(
                Limit::new(dimension.name().to_owned(), Rate::per_minute(amount).burst(minute)),
                now,
            )
        };
        let buckets = [limit(Dimension::Requests, requests), limit(Dimension::Tokens, tokens)];
        let buckets = buckets.into_iter().collect::<Result<_, _>>().expect("sound limits");
        (AccountState::new(buckets, refused_count), now)
    }

    fn left(account: &mut AccountState, at: Instant) -> Vec<u64> {
        account.standings(at).map(|standing| standing.remaining).collect()
    }

    #[test]
    fn a_refused_call_takes_nothing_from_any_limit() {
        let (mut account, now) = account(60, 1_000, false);
        assert!(account.admit(now, 900).is_ok());
        let refusal = account.admit(now, 200).expect_err("100 are left");
        assert_eq!(refusal.limit.dimension(), &Dimension::Tokens);
        assert_eq!((refusal.used, refusal.requested), (900, 200));
        assert_eq!(refusal.wait, Some(Duration::from_secs(6)));
        assert_eq!(left(&mut account, now), [59, 100]);
    }

    #[test]
    fn a_refused_call_takes_a_request_where_they_count() {
        let (mut account, now) = account(3, 1_000, true);
        assert!(account.admit(now, 1_000).is_ok());
        (0..4).for_each(|_| assert!(account.admit(now, 1).is_err()));
        assert_eq!(left(&mut account, now), [0, 0]);
        assert!(account.admit(now + Duration::from_secs(20), 1).is_ok());
    }

    #[test]
    fn the_limit_that_asks_for_the_longest_wait_is_named() {
        let (mut account, now) = account(1, 60_000, false);
        assert!(account.admit(now, 60_000).is_ok());
        let refusal = account.admit(now, 1_000).expect_err("both are empty");
        assert_eq!(refusal.limit.to_string(), "1 requests / minute");
        assert_eq!(refusal.wait, Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_call_above_the_whole_limit_is_refused_for_ever() {
        let (mut account, now) = account(60, 1_000, false);
        let refusal = account.admit(now, 1_001).expect_err("it is above the limit");
        assert_eq!(refusal.wait, None);
        assert!(account.admit(now, 1_000).is_ok());
    }

    #[test]
    fn a_call_above_the_whole_limit_counts_as_a_request_where_the_refused_count() {
        let (mut account, now) = account(60, 1_000, true);
        assert!(account.admit(now, 1_001).is_err());
        assert_eq!(left(&mut account, now), [59, 1_000]);
    }

    #[test]
    fn a_provider_without_limits_admits_everything() {
        let mut account = AccountState::new(Vec::new(), true);
        assert!(account.admit(Instant::now(), u64::MAX).is_ok());
        assert_eq!(account.standings(Instant::now()).count(), 0);
    }
}
