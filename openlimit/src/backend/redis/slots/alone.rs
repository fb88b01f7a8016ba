//! `Alone`: what this process took by itself while Redis was away, and what it owes for that.
//!
//! # The rule
//!
//! Say others filled the buckets in Redis meanwhile, and this process took an amount on top. Then
//! the limit was exceeded by that amount, less the part of the rate that no process used. That part
//! is what could have leaked from the bucket in Redis while it was empty. So this process owes
//!
//! ```text
//! taken - idle
//! ```
//!
//! The script counts for how long each bucket was empty, but not when. If the bucket was idle
//! first, and the process took everything in the last second, then only the rate of one second was
//! free for it. So it owes at least `least`: what a bucket like that in Redis would hold now if this
//! process alone had filled it.
//!
//! Example: an outage lasts 15 s, and the share is 25 %. If others used the limit all the time, the
//! process owes the 3.75 s of the rate that it took. If the bucket in Redis stood idle for 2 s, it
//! owes 1.75 s. If no other process used it, this one owes `least`, its last burst.
//!
//! # If Redis lost its state
//!
//! Then each process that comes back tells for how long it has seen the bucket idle, in its last
//! reply from the lost state. Nothing says if it was idle after that, but what was in it had to
//! leak first. So from then on it counts as idle, once for all processes together. Of the processes
//! that are back, the one that has seen the least idle time until the end is believed.
//!
//! Example: Redis is away for 1.2 s, and begins anew. The bucket held 0.9 s of the rate, so it was
//! empty for 0.3 s at most. Three processes took 0.3 s each. The first one owes nothing, and the
//! others all of it.
//!
//! # What cannot be known
//!
//! * Others do not know of it before this process is back. Until then the limit may be exceeded by
//!   what it has taken. If Redis was away for all of them, the first one back may take a burst,
//!   until the others notice at their next retry that it is back.
//! * If Redis lost its state, others may have used the limit in the time that counts as idle. Then
//!   the limit was exceeded by at most that time. It is long only if this process comes back before
//!   all others that used the limit meanwhile, or if Redis lost its state twice: only the last lost
//!   one is remembered. And others may have given back a part of what was in the bucket, so that it
//!   leaked sooner. Then the processes together owe too much, by at most that part.
//! * If Redis lost its state, and there is no reply to the batch that reports what was taken, then
//!   the process owes all that it takes until there is one.
//! * Nothing says in which order the bucket stood idle and the process took. If it was idle first,
//!   and others used the whole limit while the process took, the process is let off although the
//!   limit was exceeded, by at most the idle time.
//! * The server counts how much idle time is left, and not when that was. So what one process was
//!   let off may be missing for another one that went alone later. And a process that has never had
//!   a reply counts all of the time before as idle. Then it owes too much, by at most that.
//! * A process that ends while it is cut off owes nothing, since only it knew.
//! * A call that was admitted alone, and is settled or cancelled only when Redis is back or after
//!   an update, counts with all that it reserved.

use std::mem;

use crate::backend::memory::Memory;
use crate::backend::redis::changes::Leaking;
use crate::backend::{Buckets as _, Starting};
use crate::bucket::LowWater;
use crate::limits::Amounts;

/// The buckets of a process that decides alone, and what it took from them since the outage began.
#[derive(Debug)]
pub(crate) struct Alone {
    /// The buckets that decide, at this process's share of each limit.
    pub(super) share: Memory,
    /// What they took, by the weights of the buckets in Redis. An update keeps it, as it keeps
    /// levels.
    pub(super) took: Box<[Took]>,
    /// The number of the first charge since the outage began.
    first: u64,
    /// The number of the first charge since the limits were changed or reset.
    changed: u64,
}

/// What was taken from one limit, by the weights of its bucket in Redis.
#[derive(Clone, Debug, Default)]
pub(super) struct Took {
    /// All of it.
    pub(super) all: u64,
    /// What a bucket holds that these calls alone have filled.
    least: Leaking,
    /// The lowest of its levels since each charge.
    low: LowWater<u64>,
}

impl Took {
    /// Adds a call that weighs so much, as of `at`.
    pub(super) fn add(&mut self, weight: u64, charge: u64, at: u64) {
        if weight > 0 {
            let before = self.least.at(at);
            self.low.record(charge, before, at);
            self.all = self.all.saturating_add(weight);
            self.least = Leaking { level: before.saturating_add(weight), from: at.max(self.least.from) };
        }
    }

    /// Takes off what is given back of a charge.
    fn give_back(&mut self, weight: u64, charge: u64, now: u64) {
        let level = self.least.at(now);
        let given = weight.min(level).min(self.low.since(charge));
        self.low.refund(charge, given);
        self.all = self.all.saturating_sub(weight);
        self.least = Leaking { level: level - given, from: now.max(self.least.from) };
    }
}

impl Alone {
    /// Creates it from empty buckets, at a share of each limit.
    pub(in crate::backend::redis) fn new(share: Memory, buckets: usize) -> Self {
        Self { share, took: vec![Took::default(); buckets].into(), first: 0, changed: 0 }
    }

    /// Changes the limits of the buckets, at a share of each limit.
    pub(super) fn change(&mut self, share: &Starting<'_>, now: u64) {
        // Buckets in memory can have any limits.
        let _ = self.share.change(share, None, now);
        self.changed = self.share.next_charge();
    }

    /// Forgets what was taken, and makes the buckets as new, at a share of each limit.
    pub(super) fn reset(&mut self, share: &Starting<'_>, now: u64) {
        self.share.reset(share, now);
        self.changed = self.share.next_charge();
        self.took.fill(Took::default());
    }

    /// Notes that a limit was reset, and so much of what it counted is `gone`. The rest is a debt.
    pub(super) fn turn(&mut self, bucket: usize, gone: u64) {
        let took = &mut self.took[bucket];
        took.least.level = took.least.level.saturating_sub(gone);
        took.low = LowWater::default();
        took.low.record(self.share.next_charge() - 1, 0, 0);
    }

    /// Begins an outage. `known` are the places of the limits, each with this process's share of
    /// what is in its bucket. What is left of the last outage may be more, while the server has not
    /// heard of that.
    pub(super) fn begin(&mut self, known: impl Iterator<Item = (usize, u64)>, now: u64) {
        for (place, amount) in known {
            let left = self.share.empty(place, now);
            self.first = self.share.fill(place, amount.max(left), now) + 1;
        }
    }

    /// Refunds amounts of a charge, unless it is of an outage that has ended. `weights` are those
    /// of the amounts, by bucket. What was taken before the limits changed may have had others, and
    /// is still owed.
    pub(super) fn refund(
        &mut self,
        amounts: &Amounts,
        charge: u64,
        weights: impl Iterator<Item = u64>,
        now: u64,
        late: impl FnMut(usize, u64),
    ) {
        if charge >= self.first {
            self.share.refund(amounts, charge, now, late);
        }
        if charge >= self.first.max(self.changed) {
            for (took, weight) in self.took.iter_mut().zip(weights) {
                took.give_back(weight, charge, now);
            }
        }
    }

    /// Ends the outage. Returns what was taken by the weights of each bucket, and the least of it
    /// to owe.
    pub(super) fn end(&mut self) -> Vec<(u64, Leaking)> {
        // Charges so far belong to outages that have ended.
        self.first = u64::MAX;
        self.took.iter_mut().map(mem::take).map(|took| (took.all, took.least)).collect()
    }
}
