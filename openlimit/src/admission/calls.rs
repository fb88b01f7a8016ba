//! `Calls`: the calls that were admitted lately, to find the one that a response is about.
//!
//! Calls are ordered by their admission here, not by the numbers of their charges. All calls of a
//! lease have one number, and a process that decides alone during an outage of Redis has higher
//! numbers than Redis.

use std::collections::VecDeque;

/// The most calls that are remembered. Beyond that, every second one of the older half is
/// forgotten. What was charged since such a call is counted from the call before it, which is a
/// little too much.
const MOST_CALLS: usize = 4_096;

/// For how long a call is remembered, in nanoseconds: ten minutes, for which clients wait at most.
/// A limiter for each key would else keep some hundred kilobytes for every key, for ever.
const LONGEST: u64 = 600_000_000_000;

/// The charges so far.
#[derive(Debug)]
pub(super) struct Calls {
    /// The number of the first charge, from which on calls are known or forgotten.
    first: Option<u64>,
    /// The sum of all charges since this began, by dimension.
    charged: Box<[u64]>,
    /// The number of charges since this began.
    count: u64,
    /// In the order of their admission.
    calls: VecDeque<Call>,
}

/// A call that was admitted.
#[derive(Debug)]
pub(super) struct Call {
    /// The number of its charge. Several calls of a lease have the same.
    charge: u64,
    /// Its place among all calls since this began.
    pub(super) order: u64,
    /// When it was admitted, in nanoseconds of the limiter's clock.
    at: u64,
    /// The sum of all charges just after it, by dimension.
    charged: Box<[u64]>,
}

impl Calls {
    pub(super) fn new(dimensions: usize) -> Self {
        Self { first: None, charged: vec![0; dimensions].into(), count: 0, calls: VecDeque::new() }
    }

    /// Notes a charge at `now`.
    pub(super) fn add(&mut self, amounts: &[u64], charge: u64, now: u64) {
        for (charged, amount) in self.charged.iter_mut().zip(amounts) {
            *charged = charged.saturating_add(*amount);
        }
        self.first.get_or_insert(charge);
        self.forget(now);
        if self.calls.len() >= MOST_CALLS {
            let mut place = 0;
            self.calls.retain(|_| {
                place += 1;
                place > MOST_CALLS / 2 || place % 2 == 0
            });
        }
        self.count += 1;
        self.calls.push_back(Call { charge, order: self.count, at: now, charged: self.charged.clone() });
    }

    /// Forgets the calls that were admitted too long ago.
    fn forget(&mut self, now: u64) {
        while self.calls.front().is_some_and(|call| now.saturating_sub(call.at) > LONGEST) {
            self.calls.pop_front();
        }
        if self.calls.len() < self.calls.capacity() / 8 {
            self.calls.shrink_to(2 * self.calls.len());
        }
    }

    /// Returns the first call of a charge. If it was forgotten, the call before it.
    pub(super) fn of(&self, charge: u64) -> Option<&Call> {
        self.calls.get(place_of(&self.calls, charge)?)
    }

    /// Returns how long ago the call of a charge was admitted, in nanoseconds: ten minutes if it
    /// was forgotten, and zero if it was never known.
    pub(super) fn age(&self, charge: u64, now: u64) -> u64 {
        match self.of(charge) {
            Some(call) => now.saturating_sub(call.at),
            None if self.first.is_some_and(|first| first <= charge) => LONGEST,
            None => 0,
        }
    }

    /// Returns the amount of a dimension that was charged since a call.
    pub(super) fn since(&self, call: &Call, dimension: usize) -> u64 {
        self.charged[dimension] - call.charged[dimension]
    }
}

/// Returns the place of the first call of a charge. If it was forgotten, that of the call before
/// it.
fn place_of(calls: &VecDeque<Call>, charge: u64) -> Option<usize> {
    // Usually the numbers rise from call to call.
    let first = calls.partition_point(|call| call.charge < charge);
    if calls.get(first).is_some_and(|call| call.charge == charge) {
        return Some(first);
    }
    let exact = calls.iter().position(|call| call.charge == charge);
    let after = || calls.iter().position(|call| call.charge > charge).unwrap_or(calls.len());
    exact.or_else(|| after().checked_sub(1))
}

#[cfg(test)]
mod tests {
    use super::{Calls, LONGEST, MOST_CALLS};

    /// Returns what was charged since a call.
    fn since(calls: &Calls, charge: u64) -> Option<u64> {
        calls.of(charge).map(|call| calls.since(call, 0))
    }

    #[test]
    fn calls_are_forgotten_after_ten_minutes_and_so_is_their_storage() {
        let mut calls = Calls::new(1);
        (1..=1_000).for_each(|charge| calls.add(&[1], charge, charge));
        assert_eq!(calls.calls.len(), 1_000);
        calls.add(&[1], 1_001, 1_000 + LONGEST);
        assert_eq!((since(&calls, 999), since(&calls, 1_000)), (None, Some(1)));
        assert!(calls.calls.capacity() < 100, "{} calls", calls.calls.capacity());
        let ages = [0, 1, 999, 1_000, 1_001].map(|charge| calls.age(charge, 2_000 + LONGEST));
        assert_eq!(ages, [0, LONGEST, LONGEST, 1_000 + LONGEST, 1_000]);
    }

    #[test]
    fn a_call_that_was_forgotten_counts_from_the_one_before() {
        let mut calls = Calls::new(1);
        let all = 3 * MOST_CALLS as u64;
        (1..=all).for_each(|charge| calls.add(&[1], charge, 0));
        assert!(calls.calls.len() <= MOST_CALLS);
        assert_eq!(since(&calls, all - 100), Some(100));
        let old = since(&calls, 1_000).expect("it is known");
        assert!((all - 1_000..all - 600).contains(&old), "{old} of {all}");
    }
}
