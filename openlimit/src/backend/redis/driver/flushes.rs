//! `Flushes`: the pending flushes of one limiter.
//!
//! A flush waits until a batch is decided that began after it. A batch that is in flight already
//! may lack the latest refunds and debts.

use std::mem;

use parking_lot::Mutex;
use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::error::StoreError;

/// The flushes of one limiter that have not ended.
#[derive(Default)]
pub(super) struct Flushes(Mutex<Pending>);

#[derive(Default)]
struct Pending {
    /// The flushes that wait for the next batch.
    next: Vec<Sender<Result<(), StoreError>>>,
    /// The flushes that wait for the batch in flight.
    in_flight: Vec<Sender<Result<(), StoreError>>>,
}

impl Flushes {
    /// Adds a flush. Returns the receiver of its result.
    pub(super) fn join(&self) -> Receiver<Result<(), StoreError>> {
        let (sender, receiver) = channel();
        self.0.lock().next.push(sender);
        receiver
    }

    /// Returns true if a flush waits that its caller has not dropped.
    pub(super) fn any(&self) -> bool {
        let pending = self.0.lock();
        pending.next.iter().chain(&pending.in_flight).any(|sender| !sender.is_closed())
    }

    /// Notes that a batch begins. Returns true if a flush waits for it.
    pub(super) fn begin(&self) -> bool {
        let pending = &mut *self.0.lock();
        pending.in_flight.append(&mut pending.next);
        pending.in_flight.retain(|sender| !sender.is_closed());
        !pending.in_flight.is_empty()
    }

    /// Ends the flushes that wait for the batch in flight, because it was decided.
    pub(super) fn decided(&self) {
        let ended = mem::take(&mut self.0.lock().in_flight);
        ended.into_iter().for_each(|sender| _ = sender.send(Ok(())));
    }

    /// Ends all flushes with an error, because no batch can be decided now.
    pub(super) fn failed(&self, error: &StoreError) {
        let pending = mem::take(&mut *self.0.lock());
        let ended = pending.next.into_iter().chain(pending.in_flight);
        ended.for_each(|sender| _ = sender.send(Err(error.clone())));
    }
}
