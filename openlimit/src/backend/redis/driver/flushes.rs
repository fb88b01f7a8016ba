//! `Flushes`: the flushes that wait for a batch to be decided.
//!
//! A batch that is in flight when a flush begins lacks what was settled since the batch began. So the
//! next batch is the one that counts.

use std::mem;

use parking_lot::Mutex;
use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::error::StoreError;

#[derive(Default)]
pub(super) struct Flushes(Mutex<Pending>);

#[derive(Default)]
struct Pending {
    /// For the next batch.
    next: Vec<Sender<Result<(), StoreError>>>,
    /// For the batch in flight.
    in_flight: Vec<Sender<Result<(), StoreError>>>,
}

impl Flushes {
    /// Adds a flush, and returns where its result arrives.
    pub(super) fn join(&self) -> Receiver<Result<(), StoreError>> {
        let (sender, receiver) = channel();
        self.0.lock().next.push(sender);
        receiver
    }

    /// Returns whether a flush waits that was not dropped.
    pub(super) fn any(&self) -> bool {
        let pending = self.0.lock();
        pending.next.iter().chain(&pending.in_flight).any(|sender| !sender.is_closed())
    }

    /// Notes that a batch is about to begin. Returns whether a flush waits for it.
    pub(super) fn begin(&self) -> bool {
        let pending = &mut *self.0.lock();
        pending.in_flight.append(&mut pending.next);
        pending.in_flight.retain(|sender| !sender.is_closed());
        !pending.in_flight.is_empty()
    }

    /// Ends the flushes that wait for the batch in flight, which was decided.
    pub(super) fn decided(&self) {
        let ended = mem::take(&mut self.0.lock().in_flight);
        ended.into_iter().for_each(|sender| _ = sender.send(Ok(())));
    }

    /// Ends every flush: neither the batch in flight nor, for now, any other will be decided.
    pub(super) fn failed(&self, error: &StoreError) {
        let pending = mem::take(&mut *self.0.lock());
        let ended = pending.next.into_iter().chain(pending.in_flight);
        ended.for_each(|sender| _ = sender.send(Err(error.clone())));
    }
}
