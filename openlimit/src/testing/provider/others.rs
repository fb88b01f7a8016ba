//! `OtherConsumer`: another program with the same key, which never waits.
//!
//! Nothing runs in the background. The account asks for the calls that the other program has made
//! since it was last asked, and decides each as of its own time.

use std::time::{Duration, Instant};

use super::charge::Charge;
use crate::{Dimension, Limit, Percent};

/// The time after which the other consumer picks a new share of the limits.
const NEW_SHARE: Duration = Duration::from_secs(2);

/// The time between two calls at the full rate, if no limit on requests says how many it makes.
const DEFAULT_PACE: Duration = Duration::from_millis(100);

/// The least time between two calls at the full rate. Each call is work for the test.
const FASTEST_PACE: Duration = Duration::from_millis(1);

/// The calls of the other consumer of a provider's limits. See
/// [`ProviderBuilder::other_consumer`](crate::testing::ProviderBuilder::other_consumer).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OtherCalls {
    /// The number of its calls that were admitted.
    pub admitted: u64,
    /// The number of its calls that a limit refused.
    pub refused: u64,
    /// The tokens of those that were admitted.
    pub tokens: u64,
}

/// The other consumer, and when its next call comes.
#[derive(Debug)]
pub(super) struct OtherConsumer {
    /// The time between two calls that would use the limits up.
    pace: Duration,
    /// What each call takes.
    charge: Charge,
    /// The largest share that it takes, and the share that it takes now, in percent.
    most: u64,
    share: u64,
    /// The time of its next share.
    new_share: Instant,
    random: u64,
    next: Instant,
    calls: OtherCalls,
}

impl OtherConsumer {
    /// Creates a consumer that takes up to `most` of these limits.
    pub(super) fn new(limits: &[Limit], most: Percent, seed: u64, start: Instant) -> Self {
        // Xorshift, which must not begin at zero, and begins badly at small numbers.
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
        let (pace, charge) = full_use(limits);
        Self {
            pace,
            charge,
            most: most.0.into(),
            random: random.max(1),
            share: 0,
            new_share: start,
            next: start,
            calls: OtherCalls::default(),
        }
    }

    /// Returns the time of its next call, or of its next decision.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Goes on to the time of its next call. Returns what that call takes; `None` if it only picks
    /// a new share.
    pub(super) fn step(&mut self) -> Option<Charge> {
        let now = self.next;
        let is_new = now >= self.new_share;
        if is_new {
            self.share = self.below(self.most + 1);
            self.new_share = now + NEW_SHARE;
        }
        self.next = now.checked_add(self.gap()).map_or(self.new_share, |next| next.min(self.new_share));
        // A decision is no call, or each of them would add one.
        (!is_new).then_some(self.charge)
    }

    /// Counts a call.
    pub(super) fn count(&mut self, was_admitted: bool) {
        if was_admitted {
            self.calls.admitted += 1;
            self.calls.tokens = self.calls.tokens.saturating_add(self.charge.tokens);
        } else {
            self.calls.refused += 1;
        }
    }

    pub(super) fn calls(&self) -> OtherCalls {
        self.calls
    }

    pub(super) fn forget_calls(&mut self) {
        self.calls = OtherCalls::default();
    }

    /// Returns a random time until the next call. Calls come independently of each other, as those
    /// of many users do, so the gaps are exponential. Even gaps would keep in step with those of a
    /// limiter, and then one of the two would be refused again and again.
    #[allow(clippy::cast_precision_loss, reason = "a random number needs no more than 53 bits")]
    fn gap(&mut self) -> Duration {
        if self.share == 0 {
            return NEW_SHARE;
        }
        // From above 0 to 1.
        let part = ((self.random() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        let mean = self.pace.as_secs_f64() * 100.0 / self.share as f64;
        Duration::try_from_secs_f64(mean * -part.ln()).unwrap_or(NEW_SHARE)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random() % end
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

/// Returns calls that use all limits up: the time between two of them, and what each one takes.
fn full_use(limits: &[Limit]) -> (Duration, Charge) {
    let rates = |dimension| {
        let limits = limits.iter().filter(move |limit| *limit.dimension() == dimension);
        limits.map(Limit::rate).filter(|rate| rate.amount() > 0 && !rate.period().is_zero())
    };
    let paces = rates(Dimension::Requests)
        .map(|rate| rate.period().as_nanos() / u128::from(rate.amount()))
        .map(|nanos| Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
    let pace = paces.max().unwrap_or(DEFAULT_PACE).max(FASTEST_PACE);
    let amount = |dimension| {
        let amounts = rates(dimension)
            .map(|rate| u128::from(rate.amount()).saturating_mul(pace.as_nanos()) / rate.period().as_nanos());
        amounts.min().map_or(0, |amount| u64::try_from(amount).unwrap_or(u64::MAX))
    };
    let charge = Charge {
        tokens: amount(Dimension::Tokens),
        input: amount(Dimension::InputTokens),
        output: amount(Dimension::OutputTokens),
    };
    (pace, charge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rate;

    #[test]
    fn it_takes_half_of_its_most_on_average() {
        let start = Instant::now();
        let limits = [Limit::new("requests", Rate::per_second(100))];
        for seed in 0..8 {
            let mut other = OtherConsumer::new(&limits, Percent(70), seed, start);
            let mut calls = 0_u32;
            while other.next() < start + Duration::from_secs(3_600) {
                calls += u32::from(other.step().is_some());
            }
            // 35 of 100 a second. A share lasts two seconds, so that the mean of an hour varies.
            assert!((31 * 3_600..39 * 3_600).contains(&calls), "{calls} with seed {seed}");
        }
    }
}
