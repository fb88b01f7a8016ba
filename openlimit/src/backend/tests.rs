//! Buckets in memory against a simple model, where holds, rates that climb, probes and levels that
//! are raised come together.
//!
//! The model steps through time in milliseconds, and knows nothing of clocks that run slower or of
//! levels that stand: while a limit is held, it skips the step.

use std::time::Duration;

use super::{Buckets as _, Memory, Starting};
use crate::bucket::Metering;
use crate::limits::Rate;
use crate::time::Dates;

const MILLI: u64 = 1_000_000;

/// Each limit allows one a millisecond, and this many at once.
const BURST: f64 = 200.0;

/// What rounding may change, in amounts.
const NEARLY: f64 = 0.05;

#[derive(Clone, Debug, Default)]
struct Model {
    /// In milliseconds.
    now: u64,
    limits: [ModelLimit; 2],
    held_until: u64,
    is_exhausted: bool,
}

#[derive(Clone, Debug, Default)]
struct ModelLimit {
    level: f64,
    held_until: u64,
    /// The time that the climb still takes, and that it takes from zero, in milliseconds.
    missing: f64,
    span: f64,
}

impl Model {
    fn pass(&mut self, millis: u64) {
        for _ in 0..millis {
            for limit in &mut self.limits {
                if self.now < self.held_until.max(limit.held_until) {
                    continue;
                }
                // The rate in the middle of the step.
                let missing = (limit.missing - 0.5).max(0.0);
                let rate = if missing > 0.0 { 1.0 - missing / limit.span } else { 1.0 };
                limit.level = (limit.level - rate).max(0.0);
                limit.missing = (limit.missing - 1.0).max(0.0);
            }
            self.now += 1;
        }
    }

    fn cut(&mut self, place: usize, span: f64) {
        let limit = &mut self.limits[place];
        let before = if limit.missing > 0.0 { limit.missing / limit.span } else { 0.0 };
        limit.span = if limit.missing > 0.0 { limit.span.max(span) } else { span };
        limit.missing = (limit.span * (1.0 + before) / 2.0).min(limit.span * 7.0 / 8.0);
    }

    fn release(&mut self) {
        (self.held_until, self.is_exhausted) = (0, false);
        self.limits.iter_mut().for_each(|limit| limit.held_until = 0);
    }

    fn reopen(&mut self) {
        if self.is_exhausted {
            (self.held_until, self.is_exhausted) = (0, false);
        }
    }

    /// Returns true if a hold keeps a call of these amounts.
    fn holds(&self, amounts: [u64; 2]) -> bool {
        let held = |(limit, amount): (&ModelLimit, u64)| amount > 0 && self.now < limit.held_until;
        self.is_exhausted || self.now < self.held_until || self.limits.iter().zip(amounts).any(held)
    }

    /// Returns by how much a call does not fit.
    fn excess(&self, amounts: [u64; 2]) -> f64 {
        let taken = self.limits.iter().zip(amounts).filter(|(_, amount)| *amount > 0);
        taken.map(|(limit, amount)| limit.level + amount as f64 - BURST).fold(f64::MIN, f64::max)
    }
}

/// Returns a pseudorandom number below `most`, by xorshift.
pub(crate) fn below(random: &mut u64, most: u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random % most
}

#[test]
fn buckets_in_memory_decide_as_a_simple_model_whatever_comes_together() {
    (1..=200).for_each(compare);
}

fn compare(seed: u64) {
    let rate = Rate::per_second(1_000);
    let metering = Metering::new(rate, Duration::from_millis(BURST as u64), Duration::ZERO, (0, 100));
    let starting = Starting {
        name: None,
        limits: &[],
        meterings: &[metering, metering],
        dimensions: &[0, 1],
        reserve: None,
        max_hold: 0,
        dates: Dates::From(0),
        on_system_time: true,
    };
    let (mut memory, mut model) = (Memory::new(&starting, 0), Model::default());
    model.pass(1_000);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed);
    let (mut admitted, mut refused) = (0, 0);
    for step in 0..600 {
        let mut random = |most| below(&mut random, most);
        let now = model.now * MILLI;
        let until = model.now + random(300);
        let place = random(2) as usize;
        match random(24) {
            0 => {
                memory.hold(until * MILLI, now);
                model.held_until = model.held_until.max(until);
            }
            1 => {
                memory.hold_limit(place, until * MILLI, now);
                let end = &mut model.limits[place].held_until;
                *end = until.max(*end);
            }
            2 if random(4) == 0 => {
                memory.exhaust(until * MILLI, now);
                (model.held_until, model.is_exhausted) = (model.held_until.max(until), true);
            }
            3 if random(2) == 0 => {
                memory.release(now);
                model.release();
            }
            3 => {
                memory.reopen(now);
                model.reopen();
            }
            4 | 5 => {
                let span = [500, 2_000][random(2) as usize];
                assert!(memory.cut(place, span * MILLI, u64::MAX, now));
                model.cut(place, span as f64);
            }
            6 => {
                let left = random(300) as i64 - 100;
                memory.cap(place, left, now);
                let level = &mut model.limits[place].level;
                *level = level.max(BURST - left as f64);
            }
            7..16 => model.pass(random(60)),
            _ => {
                let amounts = [random(60) * random(2), 1 + random(60)];
                let excess = model.excess(amounts);
                let is_admitted = memory.take(&amounts, now).is_some();
                let case = || format!("{excess} of {amounts:?} in step {step} of {seed}: {model:?}");
                assert!(!is_admitted || !model.holds(amounts) && excess <= NEARLY, "{}", case());
                assert!(is_admitted || model.holds(amounts) || excess > -NEARLY, "{}", case());
                if is_admitted {
                    admitted += 1;
                    model.limits.iter_mut().zip(amounts).for_each(|(limit, of)| limit.level += of as f64);
                } else if !model.is_exhausted {
                    refused += 1;
                    // It is due at the first millisecond at which the model admits it.
                    let due = memory.earliest(&amounts, now).at.div_ceil(MILLI);
                    let mut then = model.clone();
                    then.pass(due.saturating_sub(then.now));
                    assert!(!then.holds(amounts) && then.excess(amounts) <= NEARLY, "{due}: {}", case());
                    let mut before = model.clone();
                    before.pass((due - 1).saturating_sub(before.now));
                    let waits = before.holds(amounts) || before.excess(amounts) > -NEARLY;
                    assert!(waits || due <= model.now, "{due}: {}", case());
                }
            }
        }
        let now = model.now;
        let is_held = |until: u64| now < until;
        let is_shut = model.is_exhausted
            || is_held(model.held_until)
            || model.limits.iter().any(|limit| is_held(limit.held_until));
        assert_eq!(memory.is_shut(now * MILLI), is_shut, "in step {step} of {seed}");
        for (place, limit) in model.limits.iter().enumerate() {
            let part = memory.look(now * MILLI)[place].part;
            let expected = if limit.missing > 0.0 { 1.0 - limit.missing / limit.span } else { 1.0 };
            let part = part.0 as f64 / part.1 as f64;
            assert!((part - expected).abs() < 0.001, "{part}, not {expected}, in step {step} of {seed}");
        }
    }
    assert!(
        !seed.is_multiple_of(100) || admitted > 10 && refused > 10,
        "{admitted} admitted, {refused} refused"
    );
}
