//! `Waiting`: a call of several limiters that has to wait.
//!
//! It is shared by its future and by the queues, where it is its own waker. A queue that wakes it
//! lets it [go on](Call::go_on), on whatever thread that is. It wakes the task of its future only
//! when it is over, or when its wait is long and the program wants to know.

use std::mem;
use std::process;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::super::core::Handle;
use super::in_queue::InQueue;
use super::level::{Level, depart_all};
use crate::admission::LongWait;
use crate::error::AcquireError;
use crate::limits::Name;
use crate::queue::{Key, Urgency, Wait};
use crate::sync::{Holder, Mutex, MutexGuard, Task, in_order, run_later, wake_all};

/// A call in the queues, as its future holds it. It leaves them when this is dropped.
pub(in super::super) struct Waiting(Arc<Call>);

/// The same call, as the queues hold it.
struct Call {
    progress: Mutex<Progress>,
    holder: Holder,
}

struct Progress {
    /// In the order of their ranks.
    levels: Box<[Level]>,
    /// The keys in the queues of the levels that it has joined. It is its turn in all of them but
    /// the last, usually.
    keys: Vec<Key>,
    /// In how many of these queues it is known to wait. In the others it may depart at once.
    staying: usize,
    /// The place of the level that it waited for last.
    last: usize,
    /// The long waits that were known when it joined a queue, of which the program was not told
    /// yet.
    long_waits: Vec<(Handle, LongWait)>,
    /// The waker of its task.
    waker: Waker,
    /// How it ended: it has departed, or was refused.
    end: Option<Result<(), Box<AcquireError>>>,
}

impl Waiting {
    /// Lets a call wait, because the level at `place` has no room.
    pub(super) fn start(
        mut levels: Box<[Level]>,
        place: usize,
        urgency: Urgency,
    ) -> Result<Self, Box<AcquireError>> {
        let urgency = urgency.at(levels[0].core().time.now());
        levels.iter_mut().for_each(|level| level.arrive(urgency));
        // The wait may be known to be too long in a queue that it would join much later.
        for place in [place].into_iter().chain(0..levels.len()) {
            levels[place].core().foresee(&levels[place].waiter())?;
        }
        let keys = Vec::with_capacity(levels.len());
        // Its first poll follows at once, and stores the waker.
        let (waker, long_waits) = (Waker::noop().clone(), Vec::new());
        let progress = Progress { levels, keys, staying: 0, last: place, long_waits, waker, end: None };
        let holder = Holder::of(process::id());
        let call = Arc::new(Call { progress: Mutex::new(progress), holder });
        in_order(|| call.go_on());
        Ok(Self(call))
    }

    /// Returns the levels that the call has departed from, or why it was refused.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Result<Box<[Level]>, Box<AcquireError>>> {
        // Wakers are foreign code, so they are cloned and dropped outside of the lock.
        let mut waker = context.waker().clone();
        // In a forked child, calls that waited before the fork never finish.
        let Some(mut progress) = self.0.lock() else { return Poll::Pending };
        let Some(end) = progress.end.take() else {
            mem::swap(&mut progress.waker, &mut waker);
            let waits = progress.long_waits();
            drop(progress);
            waits.into_iter().for_each(|(limiter, wait)| limiter.core().tell(Some(wait)));
            return Poll::Pending;
        };
        let levels = mem::take(&mut progress.levels);
        drop(progress);
        Poll::Ready(end.map(|()| levels))
    }

    /// Returns the name of the limiter that the call waits for.
    pub(super) fn waits_for(&self) -> Option<Name> {
        let progress = self.0.lock()?;
        progress.levels.get(progress.last).map(|level| level.core().plan.name().clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        in_order(|| {
            let Some(mut progress) = self.0.lock() else { return };
            progress.leave_from(0);
            progress.withdraw(&self.0);
            // What it was granted and nobody has polled. Without levels, it does not go on.
            let levels = mem::take(&mut progress.levels);
            let end = progress.end.take();
            let waker = mem::replace(&mut progress.waker, Waker::noop().clone());
            drop(progress);
            drop(waker);
            if let Some(Ok(())) = end {
                levels.iter().for_each(|level| level.core().take_back(&level.grant));
            }
        });
    }
}

impl Call {
    /// Locks its progress. Returns `None` in a forked child, if another thread held the lock when
    /// the process was forked.
    fn lock(&self) -> Option<MutexGuard<'_, Progress>> {
        self.progress.try_lock().or_else(|| self.holder.wait_for(&self.progress))
    }

    /// Goes as far as it gets: joins queues, and departs when it is its turn in all of them. Wakes
    /// the task when it is over, or when the program has to be told of a long wait.
    fn go_on(self: &Arc<Self>) {
        let Some(mut progress) = self.lock() else { return };
        if progress.is_over() {
            return;
        }
        progress.end = loop {
            match progress.step(self) {
                Step::Again => {}
                Step::Wait if progress.has_notice() => break None,
                Step::Wait => return,
                Step::End(end) => {
                    progress.withdraw(self);
                    break Some(end);
                }
            }
        };
        let waker = mem::replace(&mut progress.waker, Waker::noop().clone());
        drop(progress);
        wake_all(&mut vec![waker]);
    }
}

impl Task for Call {
    fn run(self: Arc<Self>) {
        self.go_on();
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        run_later(self);
    }
}

/// The waker of a call in the limiters that it has not joined yet.
struct Ahead(Weak<Call>);

impl Task for Ahead {
    fn run(self: Arc<Self>) {
        if let Some(call) = self.0.upgrade() {
            if let Some(mut progress) = call.lock() {
                // It is announced again, or refused.
                progress.withdraw(&call);
            }
            call.go_on();
        }
    }
}

impl Wake for Ahead {
    fn wake(self: Arc<Self>) {
        run_later(self);
    }
}

/// What follows a step.
enum Step {
    /// Another step.
    Again,
    /// Nothing, until a queue wakes it.
    Wait,
    /// It has departed, or was refused.
    End(Result<(), Box<AcquireError>>),
}

impl Progress {
    /// Returns true if it was admitted or refused, or has left.
    fn is_over(&self) -> bool {
        self.end.is_some() || self.levels.is_empty()
    }

    /// Joins the next queue, or departs if it is its turn in all of them.
    fn step(&mut self, call: &Arc<Call>) -> Step {
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
        let (waker, trip) = (Waker::from(Arc::clone(call)), self.trip_elsewhere(place));
        match next.core().join(next.waiter(), waker, trip) {
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

    /// Returns the longest time that one of the other limiters than that at `place` takes to answer.
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
    fn announce(&mut self, call: &Arc<Call>) -> Result<(), Box<AcquireError>> {
        for level in self.levels[self.keys.len()..].iter_mut().filter(|level| !level.is_announced) {
            let waker = Waker::from(Arc::new(Ahead(Arc::downgrade(call))));
            level.core().announce(number(call), waker)?;
            level.is_announced = true;
        }
        Ok(())
    }

    /// Ends what [`announce`](Self::announce) has begun.
    fn withdraw(&mut self, call: &Arc<Call>) {
        for level in self.levels.iter_mut().filter(|level| level.is_announced) {
            level.core().withdraw(number(call));
            level.is_announced = false;
        }
    }

    /// Returns true if the program has to be told of a long wait.
    fn has_notice(&self) -> bool {
        let mut levels = self.levels.iter().zip(&self.keys);
        !self.long_waits.is_empty() || levels.any(|(level, key)| level.core().has_notice(*key))
    }

    /// Returns the long waits that the program has to be told of, each with its limiter.
    fn long_waits(&mut self) -> Vec<(Handle, LongWait)> {
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
    fn leave_from(&mut self, place: usize) {
        self.staying = self.staying.min(place);
        for (level, key) in self.levels[place..].iter().zip(self.keys.drain(place..)) {
            level.core().leave(key);
        }
    }
}

/// Returns a number that no other call has as long as this one lives.
fn number(call: &Arc<Call>) -> usize {
    Arc::as_ptr(call).addr()
}
