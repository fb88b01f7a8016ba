//! `Meter`: one limit as the provider enforces it, a bucket that refills continuously.
//!
//! It shares no code with the limiter's bucket, so that an error in one shows against the other. The limiter
//! keeps a time (when the bucket will be full); this keeps a level. Both are exact: the level is counted in
//! fractions of one token of which a nanosecond refills a whole number.

use std::io;
use std::time::{Duration, Instant};

use crate::Limit;

/// The longest period and burst: what a limiter may have.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

/// The level of one limit, in units of `1 / period in nanoseconds` of what it counts: a nanosecond adds
/// `amount` of them.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    limit: Limit,
    /// Units to one token (or request).
    one: i128,
    /// Units to a nanosecond.
    refill: i128,
    /// The level at which it is full: the burst.
    full: i128,
    /// The level as of `read`; below zero when calls above the burst took it into debt.
    level: i128,
    read: Instant,
}

impl Meter {
    /// A full bucket.
    ///
    /// # Errors
    /// For an amount of zero, and a period or burst outside of 1 ns to 31 days.
    pub(super) fn new(limit: Limit, now: Instant) -> io::Result<Self> {
        let rate = limit.rate();
        let burst = burst(&limit);
        let sound = |time: Duration| !time.is_zero() && time <= LONGEST;
        if rate.amount() == 0 || !sound(rate.period()) || !sound(burst) {
            let problem = format!(
                "a provider cannot enforce {limit} with a burst of {burst:?}: \
                 the amount must not be zero, and period and burst lie within 1 ns and 31 days"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let refill = i128::from(rate.amount());
        let full = refill.saturating_mul(nanos(burst));
        Ok(Self { limit, one: nanos(rate.period()), refill, full, level: full, read: now })
    }

    pub(super) fn limit(&self) -> &Limit {
        &self.limit
    }

    /// Brings the level up to date. A time before the last one changes nothing.
    pub(super) fn read(&mut self, now: Instant) {
        let elapsed = nanos(now.saturating_duration_since(self.read));
        self.level = self.level.saturating_add(elapsed.saturating_mul(self.refill)).min(self.full);
        self.read = self.read.max(now);
    }

    /// The most that one call may ever take: the limit's amount, or the burst where that is larger.
    pub(super) fn most(&self) -> u64 {
        let burst = u64::try_from(self.full / self.one).unwrap_or(u64::MAX);
        burst.max(self.limit.rate().amount())
    }

    /// How long until a call of `cost` fits, at the earliest. One above the burst fits once the bucket is full.
    pub(super) fn wait(&self, cost: u64) -> Duration {
        // What takes nothing never waits, not even for a debt.
        let needed = if cost == 0 { self.level } else { self.units(cost).min(self.full) };
        self.time_for(needed - self.level)
    }

    /// Takes `cost`, into debt if need be.
    pub(super) fn take(&mut self, cost: u64) {
        self.level -= self.units(cost);
    }

    /// Takes `cost`, or as much of it as is left.
    pub(super) fn take_what_is_left(&mut self, cost: u64) {
        self.level -= self.units(cost).min(self.level.max(0));
    }

    /// Gives back `cost`, as far as it fits.
    pub(super) fn give_back(&mut self, cost: u64) {
        self.level = self.level.saturating_add(self.units(cost)).min(self.full);
    }

    /// Fills the bucket.
    pub(super) fn fill(&mut self) {
        self.level = self.full;
    }

    /// Whole tokens in the bucket; below zero in debt.
    pub(super) fn left(&self) -> i128 {
        self.level.div_euclid(self.one)
    }

    /// How long until the bucket is full.
    pub(super) fn until_full(&self) -> Duration {
        self.time_for(self.full - self.level)
    }

    fn units(&self, cost: u64) -> i128 {
        self.one.saturating_mul(i128::from(cost))
    }

    /// How long `units` take to flow in, rounded up.
    fn time_for(&self, units: i128) -> Duration {
        // Both are positive, so this neither overflows nor divides by zero.
        let units = units.max(0);
        let time = units / self.refill + i128::from(units % self.refill != 0);
        Duration::from_nanos(u64::try_from(time).unwrap_or(u64::MAX))
    }
}

/// What the rate says, or else what a limiter would assume: one second, and for periods above a minute the
/// whole amount.
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

    fn meter(rate: Rate) -> (Meter, Instant) {
        let now = Instant::now();
        (Meter::new(Limit::new("tokens", rate), now).expect("a sound rate"), now)
    }

    #[test]
    fn a_call_fits_at_exactly_the_time_that_was_named() {
        let (mut meter, start) = meter(Rate::per_minute(40_000).burst(60 * SECOND));
        meter.take(39_729);
        let wait = meter.wait(1_317);
        assert_eq!(wait, Duration::from_millis(1_569));

        meter.read(start + wait - Duration::from_nanos(1));
        assert_eq!(meter.wait(1_317), Duration::from_nanos(1));
        meter.read(start + wait);
        assert_eq!(meter.wait(1_317), Duration::ZERO);
    }

    #[test]
    fn fractions_of_a_token_are_never_lost() {
        // Seven a minute, read at a thousand times which no period divides.
        let (mut meter, start) = meter(Rate::per_minute(7).burst(60 * SECOND));
        meter.take(7);
        let steps = 1_000;
        (1..=steps).for_each(|step| meter.read(start + 60 * SECOND * step / steps));
        assert_eq!((meter.left(), meter.until_full()), (7, Duration::ZERO));
    }

    #[test]
    fn a_call_above_the_burst_waits_for_a_full_bucket_and_leaves_a_debt() {
        let (mut meter, start) = meter(Rate::per_second(100));
        meter.take(1);
        assert_eq!(meter.wait(250), Duration::from_millis(10));

        meter.read(start + SECOND);
        assert_eq!(meter.wait(250), Duration::ZERO);
        meter.take(250);
        assert_eq!(meter.left(), -150);
        assert_eq!(meter.wait(1), Duration::from_millis(1_510));
        assert_eq!(meter.wait(0), Duration::ZERO);
    }

    #[test]
    fn a_burst_below_one_call_lets_them_out_evenly() {
        let (mut meter, start) = meter(Rate::per_minute(3));
        meter.take(1);
        assert_eq!(meter.wait(1), 20 * SECOND);
        meter.read(start + 20 * SECOND);
        assert_eq!(meter.wait(1), Duration::ZERO);
    }

    #[test]
    fn taking_what_is_left_never_leaves_a_debt() {
        let (mut meter, _) = meter(Rate::per_second(2));
        meter.take_what_is_left(1);
        meter.take_what_is_left(5);
        assert_eq!(meter.left(), 0);
        meter.take(3);
        meter.take_what_is_left(1);
        assert_eq!(meter.left(), -3);
    }

    #[test]
    fn the_largest_amounts_neither_overflow_nor_panic() {
        let (mut meter, start) = meter(Rate::new(u64::MAX, LONGEST).burst(LONGEST));
        assert_eq!((meter.most(), meter.left()), (u64::MAX, i128::from(u64::MAX)));
        meter.take(u64::MAX);
        meter.read(start + 1_000 * LONGEST);
        assert_eq!(meter.until_full(), Duration::ZERO);
    }

    #[test]
    fn what_can_never_be_enforced_is_an_error() {
        for rate in [
            Rate::per_minute(0),
            Rate::new(1, Duration::ZERO),
            Rate::new(1, LONGEST + SECOND),
            Rate::per_minute(1).burst(Duration::ZERO),
            Rate::per_minute(1).burst(Duration::MAX),
        ] {
            let error = Meter::new(Limit::new("tokens", rate), Instant::now()).expect_err("not enforceable");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
