//! `Waiting`: a call of several limiters that has to wait.
//!
//! It is shared by its future and by the queues, where it is its own waker. A queue that wakes it
//! lets it [go on](Call::go_on), on whatever thread that is. It wakes the task of its future only
//! when it is over, or when its wait is long and the program wants to know.

use std::mem;
use std::process;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use super::level::Level;
use super::progress::{Progress, Step, Woken};
use crate::error::AcquireError;
use crate::limits::Name;
use crate::queue::Urgency;
use crate::sync::{Holder, Mutex, MutexGuard, Task, contain, in_order, run_later, wake_all};

/// A call in the queues, as its future holds it. It leaves them when this is dropped.
pub(in super::super) struct Waiting(Arc<Call>);

/// The same call, as the queues hold it.
struct Call {
    progress: Mutex<Progress>,
    holder: Holder,
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
        let progress = Progress::new(levels, place);
        let holder = Holder::of(process::id());
        let call = Arc::new(Call { progress: Mutex::new(progress), holder });
        in_order(|| call.go_on());
        Ok(Self(call))
    }

    /// Returns the levels that the call has departed from, or why it was refused.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Result<Box<[Level]>, Box<AcquireError>>> {
        // Wakers are foreign code, so they are cloned and dropped outside of the lock.
        let waker = context.waker().clone();
        // In a forked child, calls that waited before the fork never finish.
        let Some(mut progress) = self.0.lock() else { return Poll::Pending };
        let Some(end) = progress.end.take() else {
            let replaced = mem::replace(&mut progress.waker, waker);
            let waits = progress.long_waits();
            drop(progress);
            contain(|| drop(replaced));
            waits.into_iter().for_each(|(limiter, wait)| limiter.core().tell(Some(wait)));
            return Poll::Pending;
        };
        let levels = mem::take(&mut progress.levels);
        drop(progress);
        // What it was granted would be lost if it panicked.
        contain(|| drop(waker));
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

impl Woken for Arc<Call> {
    fn number(&self) -> usize {
        Self::as_ptr(self).addr()
    }

    fn waker(&self) -> Waker {
        Waker::from(Self::clone(self))
    }

    fn waker_ahead(&self) -> Waker {
        Waker::from(Arc::new(Ahead(Self::downgrade(self))))
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
