//! `Progress`: how far a call of several limiters has come, and its next step.
//!
//! It joins one queue after the other, each when it is its turn in all before. Once it is its turn
//! in all of them, it departs.

use std::mem;
use std::task::Waker;
use std::time::Duration;

use super::super::core::Handle;
use super::in_queue::InQueue;
use super::level::{Level, depart_all};
use crate::admission::LongWait;
use crate::error::AcquireError;
use crate::queue::{Key, Wait};

/// What queues know of a call.
pub(super) trait Woken {
    /// Returns a number that no other call has as long as this one lives.
    fn number(&self) -> usize;

    /// Returns its waker in a queue that it has joined.
    fn waker(&self) -> Waker;

    /// Returns its waker in a limiter that it has not joined yet.
    fn waker_ahead(&self) -> Waker;
}

/// How far a call has come.
pub(super) struct Progress {
    /// In the order of their ranks.
    pub(super) levels: Box<[Level]>,
    /// The keys in the queues of the levels that it has joined. It is its turn in all of them but
    /// the last, usually.
    keys: Vec<Key>,
    /// In how many of these queues it is known to wait. In the others it may depart at once.
    staying: usize,
    /// The place of the level that it waited for last.
    pub(super) last: usize,
    /// The long waits that were known when it joined a queue, of which the program was not told
    /// yet.
    long_waits: Vec<(Handle, LongWait)>,
    /// The waker of its task.
    pub(super) waker: Waker,
    /// How it ended: it has departed, or was refused.
    pub(super) end: Option<Result<(), Box<AcquireError>>>,
}

/// What follows a step.
pub(super) enum Step {
    /// Another step.
    Again,
    /// Nothing, until a queue wakes it.
    Wait,
    /// It has departed, or was refused.
    End(Result<(), Box<AcquireError>>),
}

impl Progress {
    /// Creates the progress of a call that has joined no queue yet, and waits for the level at
    /// `place`.
    pub(super) fn new(levels: Box<[Level]>, place: usize) -> Self {
        let keys = Vec::with_capacity(levels.len());
        // Its first poll follows at once, and stores the waker.
        let (waker, long_waits) = (Waker::noop().clone(), Vec::new());
        Self { levels, keys, staying: 0, last: place, long_waits, waker, end: None }
    }

    /// Returns true if it was admitted or refused, or has left.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some() || self.levels.is_empty()
    }

    /// Joins the next queue, or departs if it is its turn in all of them.
    pub(super) fn step(&mut self, call: &impl Woken) -> Step {
        let mut waits_for = None;
        for (place, key) in self.keys.iter().enumerate() {
            match self.levels[place].core().look_at(*key) {
                InQueue::ItsTurn => {}
                InQueue::Waits => waits_for = waits_for.or(Some(place)),
                InQueue::Refused(error) => return self.fail(error),
            }
        }
        if let Some(place) = waits_for {
            self.wait_for(place);
            let waits = self.stay().and_then(|()| self.announce(call));
            return waits.map_or_else(|error| self.fail(error), |()| Step::Wait);
        }
        let place = self.keys.len();
        let Some(next) = self.levels.get(place) else { return self.depart() };
        match next.core().join(next.waiter(), call.waker(), self.trip_elsewhere(place)) {
            Ok((key, long_wait)) => {
                self.keys.push(key);
                self.long_waits.extend(long_wait.map(|wait| (next.handle.clone(), wait)));
                Step::Again
            }
            Err(error) => self.fail(error),
        }
    }

    /// Departs if it is its turn in all levels still.
    fn depart(&mut self) -> Step {
        if !depart_all(&mut self.levels, &self.keys) {
            // All whose turn is over are asked at once, so that it has them at about the same time.
            for (place, key) in self.keys.iter().enumerate() {
                self.levels[place].core().retract(*key, self.trip_elsewhere(place));
            }
            return Step::Again;
        }
        self.keys.clear();
        let waits = self.levels.iter().filter_map(|level| level.grant.wait.as_ref());
        let longest = waits.map(|wait| wait.nanos).max().unwrap_or(0);
        for (place, level) in self.levels.iter_mut().enumerate() {
            level.grant.wait = level
                .grant
                .wait
                .take()
                .filter(|_| place == self.last)
                .map(|wait| Wait { nanos: longest, ..wait });
            level.core().pump();
        }
        Step::End(Ok(()))
    }

    /// Returns the longest usual round trip to the stores of all limiters but one.
    fn trip_elsewhere(&self, place: usize) -> u64 {
        let others = self.levels.iter().enumerate().filter(|(other, _)| *other != place);
        others.map(|(_, level)| level.core().round_trip()).max().unwrap_or(0)
    }

    /// Waits for its turn in one level. If that may take long, lets others go before it in the
    /// levels after that one.
    fn wait_for(&mut self, place: usize) {
        self.last = place;
        let level = &self.levels[place];
        if self.keys.len() > place + 1 && !level.core().is_turn_near(self.keys[place]) {
            self.leave_from(place + 1);
            self.levels[place].core().report_anew(self.keys[place]);
        }
    }

    /// Takes a place among those that wait, in the queues that it has joined since it last did.
    fn stay(&mut self) -> Result<(), Box<AcquireError>> {
        while let Some(key) = self.keys.get(self.staying) {
            self.levels[self.staying].core().stay(*key)?;
            self.staying += 1;
        }
        Ok(())
    }

    /// Announces the call to the limiters that it has not joined.
    fn announce(&mut self, call: &impl Woken) -> Result<(), Box<AcquireError>> {
        for level in self.levels[self.keys.len()..].iter_mut().filter(|level| !level.is_announced) {
            level.core().announce(call.number(), call.waker_ahead())?;
            level.is_announced = true;
        }
        Ok(())
    }

    /// Ends what [`announce`](Self::announce) has begun.
    pub(super) fn withdraw(&mut self, call: &impl Woken) {
        for level in self.levels.iter_mut().filter(|level| level.is_announced) {
            level.core().withdraw(call.number());
            level.is_announced = false;
        }
    }

    /// Returns true if the program has to be told of a long wait.
    pub(super) fn has_notice(&self) -> bool {
        let mut levels = self.levels.iter().zip(&self.keys);
        !self.long_waits.is_empty() || levels.any(|(level, key)| level.core().has_notice(*key))
    }

    /// Returns the long waits that the program has to be told of, each with its limiter.
    pub(super) fn long_waits(&mut self) -> Vec<(Handle, LongWait)> {
        let mut waits = mem::take(&mut self.long_waits);
        let levels = self.levels.iter().zip(&self.keys);
        waits.extend(
            levels.filter_map(|(level, key)| Some((level.handle.clone(), level.core().long_wait(*key)?))),
        );
        waits
    }

    fn fail(&mut self, mut error: Box<AcquireError>) -> Step {
        self.leave_from(0);
        // The limiter whose queue is full need not be the one that would make it wait.
        if let AcquireError::QueueFull { wait, .. } = &mut *error {
            let waits = self.levels.iter().map(|level| level.core().wait_of(&level.waiter()));
            *wait = waits.fold(*wait, Duration::max);
        }
        Step::End(Err(error))
    }

    /// Leaves the queues of the levels from this place on.
    pub(super) fn leave_from(&mut self, place: usize) {
        self.staying = self.staying.min(place);
        for (level, key) in self.levels[place..].iter().zip(self.keys.drain(place..)) {
            level.core().leave(key);
        }
    }
}
