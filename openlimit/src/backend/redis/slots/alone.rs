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
//! free for it. So it owes at least `least`: what a bucket of the whole rate would hold now if this
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
use crate::backend::{Buckets as _, Starting};
use crate::bucket::Climb;
use crate::limits::Amounts;

/// The buckets of a process that decides alone, and what it took from them since the outage began.
#[derive(Debug)]
pub(crate) struct Alone {
    /// The buckets that decide, at this process's share of each limit.
    pub(super) share: Memory,
    /// The same calls in buckets of the whole rate of each limit.
    whole: Memory,
    /// What they took, by the weights of each bucket. An update keeps it, as it keeps levels.
    pub(super) taken: Box<[u64]>,
    /// The number of the first charge since the outage began.
    first: u64,
    /// The number of the first charge since the limits were changed or reset.
    changed: u64,
}

impl Alone {
    /// Creates it from empty buckets, at a share of each limit and at the whole.
    pub(in crate::backend::redis) fn new(share: Memory, whole: Memory, buckets: usize) -> Self {
        Self { share, whole, taken: vec![0; buckets].into(), first: 0, changed: 0 }
    }

    /// Changes the limits of the buckets, at a share of each limit and at the whole.
    pub(super) fn change(&mut self, share: &Starting<'_>, whole: &Starting<'_>, now: u64) {
        // Buckets in memory can have any limits.
        let _ = (self.share.change(share, None, now), self.whole.change(whole, None, now));
        self.changed = self.share.next_charge();
    }

    /// Changes the rate of a limit to `allowed` of what was `declared`.
    pub(super) fn set_rate(&mut self, place: usize, allowed: u64, declared: u64, now: u64) {
        self.share.set_rate(place, allowed, declared, now);
        self.whole.set_rate(place, allowed, declared, now);
    }

    /// Lets the rate of a limit climb as it does for all processes.
    pub(super) fn set_climb(&mut self, place: usize, climb: Climb, now: u64) {
        self.share.set_climb(place, climb, now);
        self.whole.set_climb(place, climb, now);
    }

    /// Forgets what was taken, and makes the buckets as new, at a share of each limit and at the
    /// whole.
    pub(super) fn reset(&mut self, share: &Starting<'_>, whole: &Starting<'_>, now: u64) {
        self.share.reset(share, now);
        self.whole.reset(whole, now);
        self.changed = self.share.next_charge();
        self.taken.fill(0);
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

    /// Returns whether the share has room for a call now.
    pub(super) fn has_room(&mut self, amounts: &[u64], now: u64) -> bool {
        self.share.has_room(amounts, now)
    }

    /// Charges a call now, if the share has room. Returns the number of the charge.
    pub(super) fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        let charge = self.share.take(amounts, now)?;
        self.whole.charge_as(amounts, charge, now);
        Some(charge)
    }

    /// Charges a call as of `at`, and returns the number of the charge.
    pub(super) fn charge(&mut self, amounts: &Amounts, at: u64, now: u64) -> u64 {
        let charge = self.share.charge(amounts, at, now);
        self.whole.charge_as(amounts.as_slice(), charge, at);
        charge
    }

    /// Refunds amounts of a charge, unless it is of an outage that has ended. Returns true if
    /// `taken` contains it: what was taken before the limits changed may have had another weight.
    pub(super) fn refund(
        &mut self,
        amounts: &Amounts,
        charge: u64,
        now: u64,
        late: impl FnMut(usize, u64),
    ) -> bool {
        if charge >= self.first {
            self.share.refund(amounts, charge, now, late);
            self.whole.refund(amounts, charge, now, |_, _| ());
        }
        charge >= self.first.max(self.changed)
    }

    /// Ends the outage. Returns what was taken by the weights of each bucket, and the least amount
    /// of it to owe. `places` are the places of the limits of the buckets.
    pub(super) fn end(&mut self, places: &[usize], now: u64) -> Vec<(u64, u64)> {
        let end = |(taken, place): (&mut u64, &usize)| (mem::take(taken), self.whole.empty(*place, now));
        let taken = self.taken.iter_mut().zip(places).map(end).collect();
        // Charges so far belong to outages that have ended.
        self.first = u64::MAX;
        taken
    }
}
