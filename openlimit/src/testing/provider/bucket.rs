//! `StrictBucket`: one limit as the provider enforces it, a bucket that refills continuously.
//!
//! It shares no code with the limiter's bucket, so that an error in one of them shows in a test. It
//! counts what is left, where the limiter's counts what was taken. Both are exact: the level is
//! counted in fractions of a token, so small that a nanosecond refills a whole number of them.

use std::io;
use std::time::{Duration, Instant};

use super::meter::Meter;
use crate::bucket::LONGEST_PERIOD;
use crate::error::short;
use crate::{Limit, Rate};

/// The level of one limit. A unit is `1 / period in nanoseconds` of a token (or request), so that a
/// nanosecond refills `amount` units.
#[derive(Clone, Debug)]
pub(super) struct StrictBucket {
    limit: Limit,
    /// The units of one token (or request).
    one: i128,
    /// The units that a nanosecond refills.
    refill: i128,
    /// The level at which it is full: the burst.
    full: i128,
    /// The level at `read`. It is below zero after a call above the burst.
    level: i128,
    /// The time to which `level` belongs.
    read: Instant,
}

impl StrictBucket {
    /// Creates a full bucket.
    ///
    /// # Errors
    /// The amount is zero, or the period or burst is zero or above 31 days.
    pub(super) fn new(limit: Limit, now: Instant) -> io::Result<Self> {
        let rate = limit.rate();
        let burst = burst(&limit);
        let sound = |time: Duration| !time.is_zero() && time <= LONGEST_PERIOD;
        if rate.amount() == 0 || !sound(rate.period()) || !sound(burst) {
            return Err(unenforceable(&limit, burst));
        }
        let refill = i128::from(rate.amount());
        let full = refill.saturating_mul(nanos(burst));
        Ok(Self { limit, one: nanos(rate.period()), refill, full, level: full, read: now })
    }

    fn units(&self, cost: u64) -> i128 {
        self.one.saturating_mul(i128::from(cost))
    }

    /// Returns the time that refills `units`, rounded up.
    fn time_for(&self, units: i128) -> Duration {
        // Both are positive, so this neither overflows nor divides by zero.
        let units = units.max(0);
        let time = units / self.refill + i128::from(units % self.refill != 0);
        Duration::from_nanos(u64::try_from(time).unwrap_or(u64::MAX))
    }
}

impl Meter for StrictBucket {
    fn limit(&self) -> &Limit {
        &self.limit
    }

    /// Refills the bucket up to `now`. A time before the last one changes nothing.
    fn read(&mut self, now: Instant) {
        let elapsed = nanos(now.saturating_duration_since(self.read));
        self.level = self.level.saturating_add(elapsed.saturating_mul(self.refill)).min(self.full);
        self.read = self.read.max(now);
    }

    /// The limit's amount, or the burst if that is larger.
    fn most(&self) -> u64 {
        let burst = u64::try_from(self.full / self.one).unwrap_or(u64::MAX);
        burst.max(self.limit.rate().amount())
    }

    /// A call above the burst fits once the bucket is full.
    fn wait(&self, cost: u64) -> Duration {
        // A call that takes nothing never waits, not even for a debt.
        let needed = if cost == 0 { self.level } else { self.units(cost).min(self.full) };
        self.time_for(needed - self.level)
    }

    fn take(&mut self, cost: u64) {
        self.level -= self.units(cost);
    }

    fn take_what_is_left(&mut self, cost: u64) {
        self.level -= self.units(cost).min(self.level.max(0));
    }

    fn give_back(&mut self, cost: u64, _since: Instant) {
        self.level = self.level.saturating_add(self.units(cost)).min(self.full);
    }

    fn fill(&mut self) {
        self.level = self.full;
    }

    fn left(&self) -> i128 {
        self.level.div_euclid(self.one)
    }

    fn until_full(&self) -> Duration {
        self.time_for(self.full - self.level)
    }

    fn set_rate(&mut self, rate: Rate) -> io::Result<()> {
        let limit = Limit::new(self.limit.dimension().name().to_owned(), rate);
        let changed = Self::new(limit, self.read)?;
        let taken = self.full - self.level;
        // The largest amounts would overflow. They lose the fraction of a token.
        let exact = taken.checked_mul(changed.one).map(|taken| taken / self.one);
        let taken = exact.unwrap_or_else(|| (taken / self.one).saturating_mul(changed.one));
        *self = Self { level: changed.full.saturating_sub(taken), ..changed };
        Ok(())
    }
}

/// Returns the error for a limit that a provider cannot enforce.
pub(super) fn unenforceable(limit: &Limit, burst: Duration) -> io::Error {
    let problem = format!(
        "a provider cannot enforce {limit} with a burst of {}: give an amount of at least 1, \
         and a period and a burst from 1 ns to 31 days",
        short(burst)
    );
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}

/// Returns the burst of the rate, or the default of a limiter: one second, and for periods above a
/// minute the whole amount.
fn burst(limit: &Limit) -> Duration {
    let rate = limit.rate();
    let short = rate.period() <= Duration::from_secs(60);
    rate.own_burst().unwrap_or(if short { Duration::from_secs(1) } else { rate.period() })
}

fn nanos(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rate;

    const SECOND: Duration = Duration::from_secs(1);

    fn bucket(rate: Rate) -> (StrictBucket, Instant) {
        let now = Instant::now();
        (StrictBucket::new(Limit::new("tokens", rate), now).expect("a sound rate"), now)
    }

    #[test]
    fn a_call_fits_at_exactly_the_time_that_was_named() {
        let (mut bucket, start) = bucket(Rate::per_minute(40_000).burst(60 * SECOND));
        bucket.take(39_729);
        let wait = bucket.wait(1_317);
        assert_eq!(wait, Duration::from_millis(1_569));

        bucket.read(start + wait - Duration::from_nanos(1));
        assert_eq!(bucket.wait(1_317), Duration::from_nanos(1));
        bucket.read(start + wait);
        assert_eq!(bucket.wait(1_317), Duration::ZERO);
    }

    #[test]
    fn fractions_of_a_token_are_never_lost() {
        // Seven per minute, read at a thousand times that are no multiples of the refill of one.
        let (mut bucket, start) = bucket(Rate::per_minute(7).burst(60 * SECOND));
        bucket.take(7);
        let steps = 1_000;
        (1..=steps).for_each(|step| bucket.read(start + 60 * SECOND * step / steps));
        assert_eq!((bucket.left(), bucket.until_full()), (7, Duration::ZERO));
    }

    #[test]
    fn a_call_above_the_burst_waits_for_a_full_bucket_and_leaves_a_debt() {
        let (mut bucket, start) = bucket(Rate::per_second(100));
        bucket.take(1);
        assert_eq!(bucket.wait(250), Duration::from_millis(10));

        bucket.read(start + SECOND);
        assert_eq!(bucket.wait(250), Duration::ZERO);
        bucket.take(250);
        assert_eq!(bucket.left(), -150);
        assert_eq!(bucket.wait(1), Duration::from_millis(1_510));
        assert_eq!(bucket.wait(0), Duration::ZERO);
    }

    #[test]
    fn a_burst_below_one_call_lets_them_out_evenly() {
        let (mut bucket, start) = bucket(Rate::per_minute(3));
        bucket.take(1);
        assert_eq!(bucket.wait(1), 20 * SECOND);
        bucket.read(start + 20 * SECOND);
        assert_eq!(bucket.wait(1), Duration::ZERO);
    }

    #[test]
    fn taking_what_is_left_never_leaves_a_debt() {
        let (mut bucket, _) = bucket(Rate::per_second(2));
        bucket.take_what_is_left(1);
        bucket.take_what_is_left(5);
        assert_eq!(bucket.left(), 0);
        bucket.take(3);
        bucket.take_what_is_left(1);
        assert_eq!(bucket.left(), -3);
    }

    #[test]
    fn what_was_taken_stays_taken_when_the_rate_changes() {
        let (mut bucket, start) = bucket(Rate::per_minute(600).burst(60 * SECOND));
        bucket.take(100);
        bucket.set_rate(Rate::per_second(5).burst(60 * SECOND)).expect("a sound rate");
        assert_eq!(bucket.left(), 200);
        bucket.set_rate(Rate::per_minute(50).burst(60 * SECOND)).expect("a sound rate");
        assert_eq!((bucket.left(), bucket.wait(1)), (-50, Duration::from_millis(61_200)));
        bucket.read(start + 120 * SECOND);
        assert_eq!(bucket.until_full(), Duration::ZERO);
    }

    #[test]
    fn the_largest_amounts_neither_overflow_nor_panic() {
        let (mut bucket, start) = bucket(Rate::new(u64::MAX, LONGEST_PERIOD).burst(LONGEST_PERIOD));
        assert_eq!((bucket.most(), bucket.left()), (u64::MAX, i128::from(u64::MAX)));
        bucket.take(u64::MAX);
        bucket.read(start + 1_000 * LONGEST_PERIOD);
        assert_eq!(bucket.until_full(), Duration::ZERO);
    }

    #[test]
    fn what_can_never_be_enforced_is_an_error() {
        for rate in [
            Rate::per_minute(0),
            Rate::new(1, Duration::ZERO),
            Rate::new(1, LONGEST_PERIOD + SECOND),
            Rate::per_minute(1).burst(Duration::ZERO),
            Rate::per_minute(1).burst(Duration::MAX),
        ] {
            let error =
                StrictBucket::new(Limit::new("tokens", rate), Instant::now()).expect_err("not enforceable");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
