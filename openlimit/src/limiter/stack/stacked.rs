//! `Stacked`: a pending call of several limiters, as its future holds it.
//!
//! Most calls are admitted at their first poll, so only one that has to wait is shared with queues:
//! see `call`.

use std::mem;
use std::task::{Context, Poll, Waker};

use super::super::permit::Permit;
use super::call::Waiting;
use super::level::{Level, depart_all, take_all};
use super::rank;
use crate::error::AcquireError;
use crate::learning::SiteId;
use crate::limits::Name;
use crate::queue::Urgency;

/// A pending call of several limiters.
pub(in super::super) enum Stacked {
    /// Not polled yet.
    New(Box<[Level]>),
    /// In the queues, or over and not polled since.
    Waiting(Waiting),
    /// Ready.
    Done,
}

impl Stacked {
    /// Creates a call of at least one level.
    pub(super) fn new(mut levels: Box<[Level]>) -> Self {
        rank::sort(&mut levels);
        Self::New(levels)
    }

    /// Admits it now or not at all.
    pub(super) fn try_now(mut levels: Box<[Level]>) -> Result<Permit, AcquireError> {
        rank::sort(&mut levels);
        levels.iter_mut().for_each(|level| level.ask(Urgency::default()));
        match at_once(&mut levels) {
            Ok(()) => Ok(permit(levels)),
            Err(_) if levels.iter().any(|level| level.core().is_exhausted()) && departs(&mut levels) => {
                Ok(permit(levels))
            }
            Err(place) => Err(*levels[place].core().without_room(&levels[place].waiter())),
        }
    }

    /// Names the call site in all levels.
    pub(in super::super) fn set_site(&mut self, name: &str) {
        if let Self::New(levels) = self {
            for lesson in levels.iter_mut().filter_map(|level| level.grant.lesson.as_mut()) {
                lesson.site = SiteId::of(name);
            }
        }
    }

    /// Returns the first level of a call that was not polled yet.
    pub(in super::super) fn first(&self) -> Option<&Level> {
        if let Self::New(levels) = self { levels.first() } else { None }
    }

    /// Polls the call. `urgency` counts at the first poll.
    #[inline(never)]
    pub(in super::super) fn poll(
        &mut self,
        urgency: Urgency,
        context: &Context<'_>,
    ) -> Poll<Result<Permit, AcquireError>> {
        if let Self::New(levels) = self {
            levels.iter_mut().for_each(|level| level.ask(urgency));
            match at_once(levels) {
                Ok(()) => return Poll::Ready(Ok(permit(mem::take(levels)))),
                Err(place) => {
                    let levels = mem::take(levels);
                    *self = match Waiting::start(levels, place, urgency) {
                        Ok(waiting) => Self::Waiting(waiting),
                        Err(error) => return Poll::Ready(Err(*error)),
                    };
                }
            }
        }
        let Self::Waiting(waiting) = self else { panic!("an `Acquire` was polled after it was ready") };
        let Poll::Ready(end) = waiting.poll(context) else { return Poll::Pending };
        *self = Self::Done;
        Poll::Ready(end.map(permit).map_err(|error| *error))
    }

    /// Returns the name of the limiter that the call waits for.
    pub(in super::super) fn waits_for(&self) -> Option<Name> {
        if let Self::Waiting(waiting) = self { waiting.waits_for() } else { None }
    }
}

/// Charges all levels now, or none. Waiters that are due go first.
fn at_once(levels: &mut [Level]) -> Result<(), usize> {
    take_all(levels).or_else(|_| {
        levels.iter().for_each(|level| level.core().pump());
        take_all(levels)
    })
}

/// Lets a call depart from all queues at the moment at which it joins them, or from none. A probe,
/// which finds out if a used-up quota is back, departs from the queue only.
fn departs(levels: &mut [Level]) -> bool {
    levels.iter_mut().for_each(|level| level.arrive(Urgency::default()));
    let join = |level: &Level| Some(level.core().join(level.waiter(), Waker::noop().clone(), 0).ok()?.0);
    let keys: Vec<_> = levels.iter().map_while(join).collect();
    let has_departed = keys.len() == levels.len() && depart_all(levels, &keys);
    for (level, key) in levels.iter().zip(keys) {
        if has_departed { level.core().pump() } else { level.core().leave(key) }
    }
    has_departed
}

/// Returns the permit of a call that has departed.
fn permit(levels: Box<[Level]>) -> Permit {
    let permits = levels.into_iter().rev().map(|level| Permit::of_grant(level.handle, level.grant));
    Permit::stacked(permits.collect())
}
