//! A load on simulated time: callers that name a large output and put out a tenth of it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use openlimit::testing::ManualClock;
use openlimit::{ChatRateLimiter, Cost, Dimension, Permit, Returned, Usage};

use crate::{Call, nanos, nanos_of};

const SECOND: u64 = 1_000_000_000;

/// How long a load runs, and from when on it is measured, in seconds.
const TIME: u64 = 240;
const WARM: u64 = 80;

/// Callers that each make one call after another.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Tokens per second.
    pub rate: u64,
    /// In seconds.
    pub burst: u64,
    /// The mean time that a call takes, in seconds: from a half to one and a half of it.
    pub takes: u64,
    /// The number of callers.
    pub callers: u64,
    /// Where the random numbers begin.
    pub seed: u64,
    /// The largest output. The outputs are lognormal with a mean of a tenth of it and a sigma of
    /// 0.8.
    pub named: u64,
}

/// The result of a load.
#[derive(Clone, Debug)]
pub struct Used {
    /// The part of the limit that calls really used after the warm-up.
    pub share: f64,
    /// The most by which what they used, each at its admission, exceeded `rate * time + burst`, in
    /// seconds of the rate.
    pub excess: f64,
    /// What was given back of the first limit.
    pub returned: Returned,
    /// The status at the end.
    pub status: String,
}

/// Pseudorandom numbers by xorshift.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Begins at a seed, which is not zero.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Returns a number below `most`.
    pub fn below(&mut self, most: u64) -> u64 {
        (self.unit() * most as f64) as u64
    }

    /// Returns a number between zero and one.
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Returns an output of this mean, at most `named`.
    fn output(&mut self, mean: f64, named: u64) -> u64 {
        const SIGMA: f64 = 0.8;
        let normal = (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos();
        ((mean.ln() - SIGMA * SIGMA / 2.0 + SIGMA * normal).exp() as u64).clamp(1, named)
    }
}

impl Load {
    /// Runs the load on a limiter. Each call has this cost.
    ///
    /// # Panics
    /// If a call is refused.
    #[must_use]
    pub fn run(&self, clock: &ManualClock, limiter: &ChatRateLimiter, cost: &Cost) -> Used {
        let input = cost.amount(&Dimension::InputTokens);
        let mut random = Random::new(self.seed);
        let mut waiting: VecDeque<(u64, Call)> = VecDeque::new();
        let mut flying: HashMap<u64, (Permit, u64)> = HashMap::new();
        let mut ends = BinaryHeap::new();
        let (mut number, mut used, mut over, mut worst, mut last) = (0_u64, 0_u64, 0.0_f64, 0.0_f64, 0);
        let start = |waiting: &mut VecDeque<_>| {
            waiting.push_back((nanos_of(clock), Call::start(limiter.acquire(cost))));
        };
        (0..self.callers).for_each(|_| start(&mut waiting));
        loop {
            while let Some((arrived, call)) = waiting.front_mut()
                && let Some(outcome) = call.over()
            {
                let permit = outcome.expect("every call can be admitted");
                let at = *arrived + u64::try_from(permit.waited().as_nanos()).expect("a short wait");
                waiting.pop_front();
                let output = random.output(self.named as f64 / 10.0, self.named);
                let takes = (self.takes as f64 * SECOND as f64 * (0.5 + random.unit())) as u64;
                number += 1;
                ends.push(Reverse((at + takes, number)));
                flying.insert(number, (permit, output));
                let leaked = self.rate as f64 * (at - last) as f64 / SECOND as f64;
                over = (over - leaked).max(0.0) + (input + output) as f64;
                worst = worst.max(over - (self.rate * self.burst) as f64);
                last = at;
                used += if at > WARM * SECOND { input + output } else { 0 };
            }
            let now = nanos_of(clock);
            match ends.peek() {
                Some(Reverse((at, call))) if *at <= now => {
                    let (permit, output) = flying.remove(call).expect("it is in flight");
                    ends.pop();
                    permit.settle(Usage::new(input, output));
                    start(&mut waiting);
                }
                _ if now >= TIME * SECOND => break,
                next => {
                    // A call that is admitted on the way ends no earlier than this.
                    let step = now + self.takes * SECOND / 2;
                    let until = next.map_or(step, |Reverse((at, _))| step.min(*at));
                    clock.advance(nanos(until - now));
                }
            }
        }
        let status = limiter.status().expect("it is built");
        Used {
            share: used as f64 / (self.rate * (TIME - WARM)) as f64,
            excess: worst / self.rate as f64,
            returned: status.limits[0].returned,
            status: status.to_string(),
        }
    }
}
