//! `Owner`: the limiter that a session works for. A program may drop it at any time. The session then
//! sends what it left, and ends.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Link;
use crate::backend::redis::Slots;
use crate::backend::redis::wire::BatchReply;
use crate::backend::{Backend, Refusals, Served};
use crate::error::StoreError;
use crate::queue::{Queue, by_arrival};
use crate::time::Time;

pub(super) enum Owner {
    Live(Weak<dyn Served>),
    /// It was dropped: nothing waits any more.
    Left(Box<Slots>),
    Gone,
}

pub(super) enum Collected {
    Batch(Vec<u8>),
    /// There is nothing to send before that time, unless the driver is called.
    Nothing(Option<Duration>),
    Gone,
}

impl Owner {
    /// Returns the next batch. If a flush waits, there is one in any case.
    pub(super) async fn collect(&mut self, flushing: bool, link: &Link) -> Collected {
        let limiter = self.limiter(link).await;
        let collected = self.serve(limiter.as_deref(), |slots, queue, now| {
            if limiter.is_none() {
                slots.hurry(queue, now);
            }
            let collected = slots.collect(queue, flushing, now);
            let left = |until: u64| Duration::from_nanos(until.saturating_sub(now));
            (Refusals::new(), collected.map_err(|until| until.map(left)))
        });
        match collected {
            Some(Ok(batch)) => Collected::Batch(batch),
            Some(Err(wait)) if limiter.is_some() => Collected::Nothing(wait),
            _ => Collected::Gone,
        }
    }

    /// Applies the reply to the batch that was sent at `sent`.
    pub(super) async fn apply(&mut self, reply: &BatchReply, sent: u64, link: &Link) {
        let limiter = self.limiter(link).await;
        let apply = |slots: &mut Slots, queue: &Queue, now| (slots.apply(reply, queue, sent, now), ());
        self.serve(limiter.as_deref(), apply);
    }

    /// Notes that the batch in flight was not decided. Returns whether anything waits for it; `None`
    /// once the limiter was dropped.
    pub(super) async fn failed(&mut self, error: &StoreError, link: &Link) -> Option<bool> {
        let limiter = self.limiter(link).await?;
        self.serve(Some(&*limiter), |slots, queue, now| slots.failed(error, queue, now))
    }

    /// Gives up the batch in flight.
    pub(super) async fn give_up(&mut self, link: &Link) {
        match self.limiter(link).await {
            Some(limiter) => {
                _ = self.serve(Some(&*limiter), |slots, _, _| (Refusals::new(), slots.give_up()));
            }
            None => *self = Self::Gone,
        }
    }

    /// Returns the limiter, if it exists. Waits for what it leaves while it is being dropped.
    async fn limiter(&mut self, link: &Link) -> Option<Arc<dyn Served>> {
        while let Self::Live(limiter) = self {
            if let Some(limiter) = limiter.upgrade() {
                return Some(limiter);
            }
            let left = link.left.lock().take();
            match left {
                Some(slots) => *self = Self::Left(slots),
                None => link.call.notified().await,
            }
        }
        None
    }

    /// Runs `work` on the slots and the queue: the limiter's, or what it left. `None` if they are
    /// gone.
    fn serve<T>(
        &mut self,
        limiter: Option<&dyn Served>,
        mut work: impl FnMut(&mut Slots, &Queue, u64) -> (Refusals, T),
    ) -> Option<T> {
        let mut result = None;
        if let Some(limiter) = limiter {
            limiter.serve(&mut |backend, queue, now| {
                let Backend::Redis(slots) = backend else { return Refusals::new() };
                let (refusals, done) = work(slots, queue, now);
                result = Some(done);
                refusals
            });
        } else if let Self::Left(slots) = self {
            let empty = Queue::new(0, by_arrival);
            result = Some(work(slots, &empty, Time::System.now()).1);
        }
        result
    }
}
