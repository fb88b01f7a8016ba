//! `Owner`: the limiter that a session works for.
//!
//! A program may drop the limiter at any time. Its state is then handed to the session, which sends
//! what is pending, gives back the slots, and ends.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::link::Link;
use crate::backend::redis::Slots;
use crate::backend::redis::client::Batch;
use crate::backend::redis::slots::Met;
use crate::backend::redis::wire::BatchReply;
use crate::backend::{Backend, Served};
use crate::error::StoreError;
use crate::queue::{Queue, Refusals};
use crate::time::Time;

/// The limiter of a session, or the rest of it.
pub(super) enum Owner {
    /// The limiter, which may have been dropped meanwhile.
    Live(Weak<dyn Served>),
    /// The state of a dropped limiter.
    Left(Box<Slots>),
    /// Nothing is left.
    Gone,
}

/// The result of [`Owner::collect`].
pub(super) enum Collected {
    /// A batch to send.
    Batch(Batch),
    /// There is nothing to send before so much time has passed, unless the session is woken.
    Nothing(Option<Duration>),
    /// There will never be anything to send.
    Gone,
}

impl Owner {
    /// Returns the next batch. There is always one if a caller is `flushing`.
    pub(super) async fn collect(&mut self, flushing: bool, link: &Link) -> Collected {
        let limiter = self.limiter(link).await;
        let collected = self.serve(limiter.as_deref(), |slots, queue, now| {
            if limiter.is_none() {
                slots.flush_now(queue, now);
            }
            let collected = slots.collect(queue, flushing, now);
            let collected = collected.map(|bytes| Batch { bytes, identity: slots.identity() });
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

    /// Notes that there was no reply to the batch in flight. Returns true if anything waits for it,
    /// and `None` once the limiter was dropped.
    pub(super) async fn failed(&mut self, error: &StoreError, link: &Link) -> Option<bool> {
        let limiter = self.limiter(link).await?;
        self.serve(Some(&*limiter), |slots, queue, now| slots.failed(error, queue, now))
    }

    /// Compares the limits with those of the state, because the batch in flight was refused for
    /// them, and takes newer ones over. Returns true if the calls can be sent again.
    pub(super) async fn take_over(&mut self, theirs: &str, link: &Link) -> bool {
        let Some(limiter) = self.limiter(link).await else { return false };
        let mut goes_on = false;
        let taken = limiter.take_over(&mut |backend| {
            let Backend::Redis(slots) = backend else { return None };
            match slots.meet(theirs) {
                Met::Older(newer) => Some(newer),
                Met::SameAge => {
                    goes_on = true;
                    None
                }
                Met::Other => None,
            }
        });
        taken || goes_on
    }

    /// Takes the batch in flight back, which was not decided.
    pub(super) async fn take_back(&mut self, link: &Link) {
        let limiter = self.limiter(link).await;
        self.serve(limiter.as_deref(), |slots, _, _| (Refusals::new(), slots.take_back()));
    }

    /// Gives up the batch in flight. After that nothing is left of a dropped limiter.
    pub(super) async fn give_up(&mut self, link: &Link) {
        match self.limiter(link).await {
            Some(limiter) => {
                _ = self.serve(Some(&*limiter), |slots, _, now| (Refusals::new(), slots.give_up(now)));
            }
            None => *self = Self::Gone,
        }
    }

    /// Returns the limiter, or `None` once it was dropped. Waits for its state while it is being
    /// dropped.
    async fn limiter(&mut self, link: &Link) -> Option<Arc<dyn Served>> {
        while let Self::Live(limiter) = self {
            if let Some(limiter) = limiter.upgrade() {
                return Some(limiter);
            }
            let left = link.left.lock().take();
            match left {
                Some(slots) => *self = Self::Left(slots),
                None => link.wake.notified().await,
            }
        }
        None
    }

    /// Runs `work` on the slots and the queue of the limiter, or on the slots that it left. Returns
    /// `None` if nothing is left.
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
            let empty = Queue::new(0);
            result = Some(work(slots, &empty, Time::System.now()).1);
        }
        result
    }
}
