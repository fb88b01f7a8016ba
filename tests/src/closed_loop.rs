//! Closed loops: callers that acquire, hold the call for a while, settle to what it used, and start
//! again.
//!
//! The same loop runs on a limiter, on a manual clock, and on a [model](crate::exact::Exact).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use openlimit::testing::ManualClock;
use openlimit::{Cost, Permit, RateLimiter, Usage};

use crate::model::Limit;
use crate::random::{NAMES, build};
use crate::{Call, nanos, nanos_of};

/// The amounts and the duration of a call.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// The amount that it reserves.
    pub reserves: u64,
    /// The amount that it turns out to use.
    pub uses: u64,
    /// The time that it is in flight, in nanoseconds.
    pub holds: u64,
}

/// A call that was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// When, in nanoseconds.
    pub at: u64,
    /// The amount that it used.
    pub used: u64,
    /// The caller.
    pub caller: usize,
}

/// A limiter, or a model of one, that admits the calls.
pub trait Admits {
    /// Lets a call arrive.
    fn arrive(&mut self, call: usize, amount: u64);
    /// Lets time pass until `end`.
    fn advance(&mut self, end: u64);
    /// Settles a call that was admitted. The part that it did not use is refunded, and what it used
    /// beyond is a charge of its own.
    fn settle(&mut self, call: usize, used: u64);
    /// Returns the calls admitted since this was last called, and the time of each.
    fn admitted(&mut self) -> Vec<(usize, u64)>;
}

/// A limiter on a manual clock.
#[derive(Debug)]
pub struct Library {
    clock: ManualClock,
    limiter: RateLimiter,
    name: &'static str,
    waiting: VecDeque<(usize, u64, Call)>,
    permits: HashMap<usize, Permit>,
}

impl Library {
    /// Builds a limiter with one limit.
    #[must_use]
    pub fn new(limit: &Limit) -> Self {
        let clock = ManualClock::new();
        let limiter = build(std::slice::from_ref(limit), &clock);
        let name = NAMES[limit.dimension];
        Self { clock, limiter, name, waiting: VecDeque::new(), permits: HashMap::new() }
    }
}

impl Admits for Library {
    fn arrive(&mut self, call: usize, amount: u64) {
        let acquire = self.limiter.acquire(Cost::new().with(self.name, amount));
        self.waiting.push_back((call, nanos_of(&self.clock), Call::start(acquire)));
    }

    fn advance(&mut self, end: u64) {
        self.clock.advance(nanos(end - nanos_of(&self.clock)));
    }

    fn settle(&mut self, call: usize, used: u64) {
        let permit = self.permits.remove(&call).expect("the call is in flight");
        permit.settle(Usage::default().with(self.name, used));
    }

    fn admitted(&mut self) -> Vec<(usize, u64)> {
        let mut admitted = Vec::new();
        // Calls are admitted in order.
        while let Some((call, arrived, asks)) = self.waiting.front_mut()
            && let Some(outcome) = asks.over()
        {
            let permit = outcome.expect("every call can be admitted");
            let waited = u64::try_from(permit.waited().as_nanos()).expect("the tests take less than a year");
            admitted.push((*call, *arrived + waited));
            self.permits.insert(*call, permit);
            self.waiting.pop_front();
        }
        admitted
    }
}

/// Runs a loop until `end`, and returns the calls that were admitted, in order. Each caller repeats
/// its list.
///
/// # Panics
/// If a caller has no work, or a call is refused.
pub fn run(callers: &[Vec<Work>], end: u64, on: &mut impl Admits) -> Vec<Admitted> {
    let shortest = callers.iter().flatten().map(|work| work.holds).min().unwrap_or(end);
    // The caller of each call, and what it does.
    let mut calls: Vec<(usize, Work)> = Vec::new();
    let mut turns = vec![0; callers.len()];
    let mut next = |caller: usize, calls: &mut Vec<(usize, Work)>| {
        let list: &[Work] = &callers[caller];
        let work = list[turns[caller] % list.len()];
        turns[caller] += 1;
        calls.push((caller, work));
        (calls.len() - 1, work.reserves)
    };
    for caller in 0..callers.len() {
        let (call, amount) = next(caller, &mut calls);
        on.arrive(call, amount);
    }
    let (mut log, mut ends, mut now) = (Vec::new(), BinaryHeap::new(), 0);
    loop {
        for (call, at) in on.admitted() {
            let (caller, work) = calls[call];
            log.push(Admitted { at, used: work.uses, caller });
            ends.push(Reverse((at + work.holds, call)));
        }
        if let Some(Reverse((at, call))) = ends.peek().copied()
            && at <= now
        {
            ends.pop();
            let (caller, work) = calls[call];
            on.settle(call, work.uses);
            let (call, amount) = next(caller, &mut calls);
            on.arrive(call, amount);
        } else if now >= end {
            return log;
        } else {
            // A call that is admitted on the way ends no earlier than this.
            let step = now + shortest.max(1);
            now = ends.peek().map_or(step, |Reverse((at, _))| step.min(*at)).min(end);
            on.advance(now);
        }
    }
}

/// Returns the share of the limit that was used between `begin` and `end`.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "a share needs no more than a few digits")]
pub fn share(limit: &Limit, admitted: &[Admitted], begin: u64, end: u64) -> f64 {
    let used = admitted.iter().filter(|call| (begin..end).contains(&call.at));
    let used: u64 = used.map(|call| call.used).sum();
    limit.weight(used) as f64 / limit.worth(end - begin) as f64
}

/// Returns the first call with which some window holds more than `rate * window + burst`, or the
/// largest amount in it in place of the burst, if that is larger. Each call counts with the amount
/// that it used, but no more than it had reserved; the rest is a debt.
#[must_use]
pub fn excess(limit: &Limit, admitted: &[Admitted], callers: &[Vec<Work>]) -> Option<Admitted> {
    let mut turns = vec![0; callers.len()];
    let burst = limit.worth(limit.burst);
    let (mut level, mut before): (i128, u64) = (0, 0);
    let mut weights = Vec::new();
    for (place, call) in admitted.iter().enumerate() {
        let list = &callers[call.caller];
        let work = list[turns[call.caller] % list.len()];
        turns[call.caller] += 1;
        let weight = limit.weight(work.uses.min(work.reserves));
        weights.push(weight);
        // The level of a bucket that leaks at the declared rate is the largest excess of a window
        // that ends here.
        level = (level - limit.worth(call.at - before)).max(0) + weight;
        before = call.at;
        if level > burst {
            let (mut sum, mut largest) = (0, burst);
            for first in (0..=place).rev() {
                (sum, largest) = (sum + weights[first], largest.max(weights[first]));
                if sum > limit.worth(call.at - admitted[first].at) + largest {
                    return Some(*call);
                }
            }
        }
    }
    None
}
