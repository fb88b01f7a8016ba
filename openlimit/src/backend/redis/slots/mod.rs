//! `Slots`: buckets in Redis, as one limiter holds them. Slots, granted ahead, serve those who wait.
//!
//! A batch asks for the calls at the front of the queue that have no slot yet, as long as the last
//! slot lies within the look-ahead. A slot is a charge and the moment from which a call may depart
//! for it. Slots belong to the limiter and not to the waiters: whatever call is at the head takes
//! the first slot that it fits. So the order of the queue may change at any time, and a call that
//! leaves makes room for those behind it. Slots that are left over are given back.
//!
//! While Redis is away and the limiter may go on alone, buckets in this process decide, at a share
//! of every limit.
//!
//! Pure state, under the limiter's lock, with the time as an argument. The driver carries batches
//! and replies.

mod ahead;
mod estimate;
mod exchange;
mod outage;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use self::exchange::Asking;
use self::outage::Outage;
use super::ledger::Ledger;
use super::scale::Scale;
use super::terms::Terms;
use crate::backend::memory::Memory;
use crate::backend::{Buckets, Due, Look};
use crate::error::StoreStatus;
use crate::limits::Amounts;
use crate::queue::{Queue, Refusal, Waiter};

/// Charges with this bit are in the buckets of this process. The others are numbered by the ledger.
pub(super) const LOCAL: u64 = 1 << 63;

/// In nanoseconds, where nothing else is said. The buckets are in the order of the script.
#[derive(Debug)]
pub(crate) struct Slots {
    /// The place of each bucket's limit in the limiter.
    places: Box<[usize]>,
    /// The dimension that fills each bucket.
    dimensions: Box<[usize]>,
    scales: Box<[Scale]>,
    terms: Terms,
    /// The server, for errors.
    server: Arc<str>,
    slots: VecDeque<Slot>,
    /// The sum of what the slots hold, by dimension.
    held: Box<[u128]>,
    ledger: Ledger,
    /// When the buckets were seen, on the limiter's clock.
    seen: u64,
    /// The calls that the batch in flight asks for, in their order, if there is one.
    asking: Option<Vec<Asking>>,
    /// The slot of the first of them, which keeps it if it cannot have an earlier one.
    moving: Option<Slot>,
    /// The usual time of a round trip, by which a delay is noticed.
    usual: u64,
    /// When to send what no batch of calls has taken along.
    flush: u64,
    /// What a call that does not wait asked for: a lease is requested in its place.
    wish: Option<Amounts>,
    /// When the driver comes by itself: now, while it is here.
    comes: u64,
    outage: Option<Outage>,
    /// How many outages there were.
    outages: u64,
    /// Decides while Redis is away, if the limiter goes on alone.
    local: Memory,
}

/// A charge that was granted and that no call has taken yet.
#[derive(Debug)]
struct Slot {
    amounts: Amounts,
    /// From when a call may depart for it.
    due: u64,
    /// The same in microseconds of the server's clock: the next batch comes behind it.
    at: u64,
    /// Until when a call may depart for it.
    expires: u64,
    /// The number of the charge.
    charge: u64,
    /// The limit that decided when, by its place in the limiter.
    limit: usize,
    /// The number of the waiter that it was requested for; `None` for a lease, which serves many
    /// calls.
    waiter: Option<u64>,
}

/// A limit as its shared bucket counts it.
pub(super) struct Account {
    /// Its place in the limiter.
    pub(super) place: usize,
    pub(super) dimension: usize,
    pub(super) scale: Scale,
}

impl Slots {
    /// Creates the state of a limiter that has seen nothing yet. The accounts are in the order of the
    /// script.
    pub(super) fn new(accounts: &[Account], terms: Terms, server: Arc<str>, local: Memory) -> Self {
        let dimensions: Box<[usize]> = accounts.iter().map(|account| account.dimension).collect();
        Self {
            places: accounts.iter().map(|account| account.place).collect(),
            scales: accounts.iter().map(|account| account.scale).collect(),
            held: vec![0; dimensions.iter().max().map_or(0, |most| most + 1)].into(),
            ledger: Ledger::new(accounts.len()),
            dimensions,
            terms,
            server,
            slots: VecDeque::new(),
            seen: 0,
            asking: None,
            moving: None,
            usual: u64::MAX,
            flush: u64::MAX,
            wish: None,
            comes: 0,
            outage: None,
            outages: 0,
            local,
        }
    }
}

impl Buckets for Slots {
    /// Admits from a lease: nothing else is there while nobody waits.
    #[inline(never)]
    fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        if self.is_alone() {
            return self.local.take(amounts, now);
        }
        let due = self.slot_due(amounts, None, now)?;
        if due.at <= now { self.take_slot(amounts, now) } else { None }
    }

    fn due(&mut self, head: &Waiter, now: u64) -> Option<Due> {
        if self.is_alone() {
            return self.local.due(head, now);
        }
        self.slot_due(head.amounts.as_slice(), Some(head.number), now)
    }

    fn charge(&mut self, amounts: &Amounts, at: u64, now: u64) -> u64 {
        let slot = if self.is_alone() { None } else { self.take_slot(amounts.as_slice(), now) };
        slot.unwrap_or_else(|| self.local.charge(amounts, at, now))
    }

    fn refund(&mut self, amounts: &Amounts, charge: u64, now: u64) {
        if charge < LOCAL {
            self.give_back(amounts.as_slice(), charge, now);
        } else {
            self.local.refund(amounts, charge, now);
        }
    }

    fn owe(&mut self, amounts: &Amounts, now: u64) {
        if self.is_alone() {
            return self.local.owe(amounts, now);
        }
        for bucket in 0..self.scales.len() {
            self.add_debt(bucket, amounts.as_slice()[self.dimensions[bucket]], now);
        }
    }

    fn wait(&self, call: &Waiter, queue: &Queue, now: u64) -> (u64, usize) {
        if self.is_alone() {
            return self.local.wait(call, queue, now);
        }
        self.estimate(call, queue, now)
    }

    fn would_wait(&mut self, call: &Waiter, queue: &Queue, now: u64) -> Refusal {
        if let Some(error) = self.away() {
            return call.undecided(error, now);
        }
        let trip = self.request_lease(&call.amounts);
        let (wait, limit) = self.wait(call, queue, now);
        Refusal::WouldWait { wait: wait.max(trip), limit }
    }

    fn expire(&self, waiter: &Waiter, head_due: u64, now: u64) -> Refusal {
        if self.is_alone() {
            return self.local.expire(waiter, head_due, now);
        }
        if let Some(error) = self.silence(waiter, now) {
            return waiter.undecided(&error, now);
        }
        let (wait, limit) = self.estimate_next(waiter.amounts.as_slice(), now);
        let wait = if head_due == u64::MAX { wait } else { wait.max(head_due.saturating_sub(now)) };
        waiter.timed_out(wait, limit, now)
    }

    fn look(&self, now: u64) -> Vec<Look> {
        let mut looks = self.local.look(now);
        if !self.is_alone() {
            for (bucket, place) in self.places.iter().enumerate() {
                looks[*place] = self.look_at(bucket, now);
            }
        }
        looks
    }

    fn store(&self) -> Option<StoreStatus> {
        Some(StoreStatus { error: self.away().cloned(), outages: self.outages })
    }

    fn idle(&mut self, now: u64) {
        self.release(now);
    }

    fn calls_driver(&mut self, waiting: usize, now: u64) -> bool {
        let calls = self.wanted(waiting, now) < self.comes;
        if calls {
            self.comes = 0;
        }
        calls
    }
}
