//! A client of the tests' world: its queue, its slots, and what it holds.

use std::task::Waker;

use super::super::Shared;
use super::world::World;
use crate::amounts::Amounts;
use crate::queue::{Key, Queue, Waiter};

pub(super) struct Client {
    pub(super) id: usize,
    pub(super) shared: Shared,
    pub(super) queue: Queue,
    pub(super) keys: [String; 2],
    /// The batch that was sent last.
    pub(super) sent: Vec<u8>,
    pub(super) reply: Vec<u8>,
    pub(super) wait_at_most: u64,
    /// How many calls had been granted when it came last.
    pub(super) seen: usize,
    /// What it took, by charge, and may give back or exceed.
    pub(super) taken: Vec<(u64, Amounts)>,
}

impl Client {
    pub(super) fn join(&mut self, [requests, tokens]: [u64; 2]) -> Key {
        let waiter = Waiter {
            amounts: Amounts::Few([requests, tokens, 0]),
            arrived: 0,
            timeout: self.wait_at_most.saturating_add(1_000_000_000_000).min(self.wait_at_most),
            waker: Waker::noop().clone(),
            number: 0,
        };
        self.queue.join(waiter)
    }

    /// Each who has a slot takes it or, now and then, leaves.
    pub(super) fn leave_or_go(&mut self, world: &mut World) {
        while let Some((key, waiter)) = self.queue.head() {
            let (amounts, number) = (waiter.amounts.clone(), waiter.number);
            let leaves = world.random(4) == 0;
            let waits = self.shared.slots.front().is_some_and(|slot| self.shared.is_far(slot, world.clock));
            if !leaves && waits && world.random(4) > 0 {
                return;
            }
            if !leaves && !self.take(&amounts, number) {
                return;
            }
            self.queue.leave(key);
        }
        self.shared.release(0);
    }

    pub(super) fn all_go(&mut self) {
        while let Some((key, waiter)) = self.queue.head() {
            let (amounts, number) = (waiter.amounts.clone(), waiter.number);
            if !self.take(&amounts, number) {
                return;
            }
            self.queue.leave(key);
        }
    }

    /// Whoever is next leaves, whatever is on its way.
    pub(super) fn one_leaves(&mut self) {
        if let Some((key, _)) = self.queue.head() {
            self.queue.leave(key);
        }
    }

    /// Slots hold what is said of them to be held.
    pub(super) fn check_held(&self) {
        for (dimension, held) in self.shared.held.iter().enumerate() {
            let slots = self.shared.slots.iter().chain(&self.shared.moving);
            let sum: u64 = slots.map(|slot| slot.amounts.as_slice()[dimension]).sum();
            assert_eq!(*held, u128::from(sum), "of dimension {dimension}");
        }
    }

    pub(super) fn all_leave(&mut self) {
        while let Some((key, _)) = self.queue.head() {
            self.queue.leave(key);
        }
        self.shared.release(0);
    }

    pub(super) fn take(&mut self, amounts: &Amounts, number: u64) -> bool {
        if self.shared.due(amounts.as_slice(), Some(number), 0).is_none() {
            return false;
        }
        let charge = self.shared.take(amounts.as_slice(), 0);
        self.taken.extend(charge.map(|charge| (charge, amounts.clone())));
        charge.is_some()
    }
}
