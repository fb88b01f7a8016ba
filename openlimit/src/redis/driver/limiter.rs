//! `Limiter`: whose session it is. A program may drop it at any time; what it then leaves is told by the session, which ends.

use std::time::Duration;

use super::Link;
use crate::handle::{Handle, WeakHandle};
use crate::queue::Queue;
use crate::redis::StoreError;
use crate::redis::shared::Shared;
use crate::redis::wire::Reply;
use crate::time::Time;

pub(super) enum Limiter {
    Live(WeakHandle),
    /// It was dropped: nobody waits any more.
    Left(Box<Shared>),
    Gone,
}

/// What there is of it.
enum There<'a> {
    All(Handle),
    Rest(&'a mut Shared),
    Nothing,
}

pub(super) enum Collected {
    Batch(Vec<u8>),
    /// Not before that time, unless called.
    Nothing(Option<Duration>),
    Gone,
}

impl Limiter {
    /// The next batch; if somebody flushes, in any case.
    pub(super) async fn collect(&mut self, flushing: bool, link: &Link) -> Collected {
        match self.there(link).await {
            There::All(handle) => match handle.collect(flushing) {
                Ok(batch) => Collected::Batch(batch),
                Err(wait) => Collected::Nothing(wait),
            },
            There::Rest(shared) => {
                let (nobody, now) = (Queue::new(0), Time::System.now());
                shared.hurry(&nobody, now);
                shared.collect(&nobody, false, now).map_or(Collected::Gone, Collected::Batch)
            }
            There::Nothing => Collected::Gone,
        }
    }

    pub(super) async fn told(&mut self, reply: &Reply, sent: u64, link: &Link) {
        match self.there(link).await {
            There::All(handle) => handle.told(reply, sent),
            There::Rest(shared) => _ = shared.told(reply, sent, Time::System.now()),
            There::Nothing => {}
        }
    }

    /// Says whether somebody waits, of a limiter that is there.
    pub(super) async fn failed(&mut self, error: &StoreError, link: &Link) -> Option<bool> {
        match self.there(link).await {
            There::All(handle) => Some(handle.failed(error)),
            _ => None,
        }
    }

    pub(super) async fn give_up(&mut self, link: &Link) {
        match self.there(link).await {
            There::All(handle) => handle.give_up(),
            _ => *self = Self::Gone,
        }
    }

    /// What there is now. A limiter that is being dropped is about to say what it leaves.
    async fn there(&mut self, link: &Link) -> There<'_> {
        while let Self::Live(weak) = self {
            if let Some(handle) = weak.upgrade() {
                return There::All(handle);
            }
            let left = link.left.lock().take();
            match left {
                Some(shared) => *self = Self::Left(shared),
                None => link.call.notified().await,
            }
        }
        match self {
            Self::Left(shared) => There::Rest(shared),
            _ => There::Nothing,
        }
    }
}
