//! Random limits, and limiters with them.

use std::collections::HashSet;

use openlimit::testing::ManualClock;
use openlimit::{Builder, Cost, Percent, Rate, RateLimiter, kind};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::model::Limit;
use crate::nanos;

/// The dimensions, in the order of the model's amounts.
pub const NAMES: [&str; 3] = ["requests", "tokens", "audio_seconds"];

/// Generates one to four limits. Jitter and headroom belong to the limiter, so they are the same
/// for all.
pub fn limits(jitter: impl Strategy<Value = u64>) -> impl Strategy<Value = Vec<Limit>> {
    let headroom = prop_oneof![Just(0), Just(1), Just(5), Just(50)];
    (vec(limit(), 1..5), jitter, headroom).prop_map(|(mut limits, jitter, headroom)| {
        for limit in &mut limits {
            (limit.jitter, limit.headroom) = (jitter, headroom);
        }
        // A limit is declared once.
        let mut seen = HashSet::new();
        limits.retain(|limit| seen.insert((limit.dimension, limit.period)));
        limits
    })
}

fn limit() -> impl Strategy<Value = Limit> {
    let period = prop_oneof![
        Just(1_000_000_000),
        Just(60_000_000_000),
        Just(86_400_000_000_000),
        1_000..100_000_000_000_u64
    ];
    (0..3_usize, 1..2_000_u64, period, 1..2_000_u64).prop_map(|(dimension, amount, period, burst)| Limit {
        dimension,
        amount,
        period,
        burst: period / 1_000 * burst,
        jitter: 0,
        headroom: 0,
    })
}

/// Builds a limiter with these limits.
///
/// # Panics
/// If the limits are invalid.
#[must_use]
pub fn build(limits: &[Limit], clock: &ManualClock) -> RateLimiter {
    builder(limits, clock).build().expect("the limits are valid")
}

/// Returns a builder with these limits, at least one.
///
/// # Panics
/// If there is none.
pub fn builder(limits: &[Limit], clock: &ManualClock) -> Builder<kind::Explicit> {
    let jitter = nanos(limits[0].jitter);
    let builder = RateLimiter::builder().clock(clock).jitter(jitter).headroom(Percent(limits[0].headroom));
    limits.iter().fold(builder, |builder, limit| {
        let rate = Rate::new(limit.amount, nanos(limit.period)).burst(nanos(limit.burst));
        builder.limit(openlimit::Limit::new(NAMES[limit.dimension], rate))
    })
}

/// Reduces amounts to the most that one call may take.
#[must_use]
pub fn admissible(limits: &[Limit], amounts: &[u64]) -> Vec<u64> {
    let most = |dimension| {
        let limits = limits.iter().filter(|limit| limit.dimension == dimension);
        limits.map(|limit| limit.amount.max(limit.burst_amount())).min().unwrap_or(0)
    };
    amounts.iter().enumerate().map(|(dimension, amount)| most(dimension).min(*amount)).collect()
}

/// Returns the cost of a call of these amounts, in the dimensions that have a limit.
#[must_use]
pub fn cost(limits: &[Limit], amounts: &[u64]) -> Cost {
    amounts.iter().enumerate().fold(Cost::new(), |cost, (dimension, amount)| {
        let metered = limits.iter().any(|limit| limit.dimension == dimension);
        if metered { cost.with(NAMES[dimension], *amount) } else { cost }
    })
}
