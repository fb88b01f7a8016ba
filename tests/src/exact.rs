//! A model of one limit whose calls are refunded, with every level of the past.
//!
//! A call that took `a` and used nothing should leave the bucket as if it had taken nothing. The
//! level falls by `a`, but by no more than the lowest level just before a later charge, or the
//! present one: what leaked before that is gone in either case. The levels since its charge fall by
//! as much. If the last charge has leaked meanwhile, the bucket was empty for longer by as much.
//!
//! The model keeps the level before each charge in a list, and each refund walks through it. So it
//! is slow and hides nothing. [`Model`](crate::model::Model) says the same in another way: it
//! computes all levels again from the charges that are left.

use std::collections::{HashMap, VecDeque};

use crate::closed_loop::Admits;
use crate::model::Limit;

/// The model of a limiter with one limit.
#[derive(Clone, Debug)]
pub struct Exact {
    limit: Limit,
    now: u64,
    /// The weight in the bucket.
    level: i128,
    /// The time at which the bucket is or was empty after the last charge, times the pace. Zero if
    /// nothing was ever taken.
    empty: i128,
    /// The weight just before each charge, in order.
    before: VecDeque<i128>,
    /// The number of charges made before the first one in `before`.
    forgotten: usize,
    /// The calls in flight: the number of the charge, and the amount.
    taken: HashMap<usize, (usize, u64)>,
    /// The calls that wait, and their amounts.
    queue: VecDeque<(usize, u64)>,
    /// The calls admitted since they were last asked for, and when.
    admitted: Vec<(usize, u64)>,
}

impl Exact {
    /// Creates a model with an empty bucket, at time zero.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        Self {
            limit,
            now: 0,
            level: 0,
            empty: 0,
            before: VecDeque::new(),
            forgotten: 0,
            taken: HashMap::new(),
            queue: VecDeque::new(),
            admitted: Vec::new(),
        }
    }

    fn charge(&mut self, amount: u64) {
        self.before.push_back(self.level);
        self.level += self.limit.weight(amount);
        self.empty = i128::from(self.now) * self.limit.pace() + self.level;
    }

    fn refund(&mut self, charge: usize, weight: i128) {
        let later = self.before.iter_mut().skip(charge - self.forgotten + 1);
        let lowest = later.map(|level| &*level).min().copied();
        let lowered = lowest.map_or(weight, |lowest| weight.min(lowest));
        let later = self.before.iter_mut().skip(charge - self.forgotten + 1);
        later.for_each(|level| *level -= lowered);
        self.level = (self.level - lowered).max(0);
        self.empty -= lowered;
    }

    /// Forgets the levels that bound the refund of no call in flight.
    fn forget(&mut self) {
        let made = self.forgotten + self.before.len();
        let first = self.taken.values().map(|(charge, _)| *charge).min().unwrap_or(made);
        self.before.drain(..first - self.forgotten);
        self.forgotten = first;
    }

    /// Admits the calls that become due until `end`.
    fn go_on(&mut self, end: u64) {
        while let Some((call, amount)) = self.queue.front().copied() {
            let due = self.due(amount);
            if due > end {
                break;
            }
            self.leak(due);
            self.queue.pop_front();
            self.taken.insert(call, (self.forgotten + self.before.len(), amount));
            self.charge(amount);
            self.admitted.push((call, due));
        }
    }

    /// Returns the first nanosecond at which there is room for a call.
    fn due(&self, amount: u64) -> u64 {
        let weight = self.limit.weight(amount);
        let missing = if weight <= self.limit.fit() {
            self.level - (self.limit.fit() - weight)
        } else if self.empty == 0 {
            0
        } else {
            self.empty + self.limit.pause(weight) - i128::from(self.now) * self.limit.pace()
        };
        let missing = missing.max(0);
        let wait = (missing + self.limit.pace() - 1) / self.limit.pace();
        self.now + u64::try_from(wait).expect("the tests stay within the years that fit")
    }

    fn leak(&mut self, now: u64) {
        self.level = (self.level - i128::from(now - self.now) * self.limit.pace()).max(0);
        self.now = now;
    }
}

impl Admits for Exact {
    fn arrive(&mut self, call: usize, amount: u64) {
        self.queue.push_back((call, amount));
        self.go_on(self.now);
    }

    fn advance(&mut self, end: u64) {
        self.go_on(end);
        self.leak(end);
    }

    fn settle(&mut self, call: usize, used: u64) {
        let (charge, amount) = self.taken.remove(&call).expect("the call is in flight");
        if used <= amount {
            // The part that it did not use.
            self.refund(charge, self.limit.weight(amount - used));
        } else {
            // What it used beyond is a charge of its own.
            self.charge(used - amount);
        }
        self.forget();
        self.go_on(self.now);
    }

    fn admitted(&mut self) -> Vec<(usize, u64)> {
        std::mem::take(&mut self.admitted)
    }
}
