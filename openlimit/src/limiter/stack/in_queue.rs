//! What a stacked call does in the queue of one of its limiters.
//!
//! Each step locks that limiter alone, and pumps its queue, as all that changes it do.

use std::task::Waker;
use std::time::Duration;

use super::super::core::Core;
use crate::admission::LongWait;
use crate::backend::Buckets as _;
use crate::error::AcquireError;
use crate::queue::{Grant, Key, Outcome, Turn, Waiter};

/// The state of a stacked call in a queue.
pub(super) enum InQueue {
    Waits,
    /// It is the head, and due, and stays the head until it departs or leaves.
    ItsTurn,
    Refused(Box<AcquireError>),
}

impl Core {
    /// Refuses a call if it is known that it would be refused, or would have to wait for too long.
    pub(super) fn foresee(&self, call: &Waiter) -> Result<(), Box<AcquireError>> {
        if let Some(error) = self.plan.now().too_large(call.amounts.as_slice()) {
            return Err(Box::new(error));
        }
        let mut refusal = None;
        self.update(|state, now, _| refusal = state.admission.foresee(call, now));
        refusal.map_or(Ok(()), |refusal| Err(self.turned_away(refusal)))
    }

    /// Returns the refusal of a call that may not wait.
    pub(super) fn without_room(&self, call: &Waiter) -> Box<AcquireError> {
        if let Some(error) = self.plan.now().too_large(call.amounts.as_slice()) {
            return Box::new(error);
        }
        let mut refusal = None;
        self.update(|state, now, _| refusal = Some(state.admission.without_room(call, now)));
        refusal.map_or_else(|| self.forked(), |refusal| self.turned_away(refusal))
    }

    /// Returns true if a quota is used up.
    pub(super) fn is_exhausted(&self) -> bool {
        self.lock().is_some_and(|state| state.is_exhausted())
    }

    /// Announces a call that waits for other limiters first. It is woken when this one refuses all
    /// calls.
    pub(super) fn announce(&self, call: usize, waker: Waker) -> Result<(), Box<AcquireError>> {
        let mut announced = Ok(());
        self.update(|state, now, _| announced = state.admission.announce(call, waker, now));
        announced.map_err(|refusal| self.turned_away(refusal))
    }

    /// Notes that an announced call is over.
    pub(super) fn withdraw(&self, call: usize) {
        // Dropped where no lock is held.
        let _waker = self.lock().and_then(|mut state| state.admission.withdraw(call));
    }

    /// Adds a call to the queue. Returns its key, and its wait if the program has to be told of it.
    /// `trip` is the longest round trip of the other limiters.
    pub(super) fn join(
        &self,
        call: Waiter,
        waker: Waker,
        trip: u64,
    ) -> Result<(Key, Option<LongWait>), Box<AcquireError>> {
        self.start().map_err(Box::new)?;
        let (mut joined, mut too_large) = (None, None);
        self.update(|state, now, wakers| {
            // An update may have lowered a limit while the call waited for others.
            too_large = self.plan.now().too_large(call.amounts.as_slice());
            if too_large.is_some() {
                return;
            }
            let key = state.admission.join_stacked(Waiter { waker, ..call }, trip, now, wakers);
            joined = Some(key.map(|key| {
                let tells = self.plan.on_wait().is_some();
                (key, if tells { state.admission.begin_stacked_wait(key, now) } else { None })
            }));
        });
        match joined {
            Some(Ok(joined)) => Ok(joined),
            Some(Err(refusal)) => Err(Box::new(self.error(refusal))),
            None => Err(too_large.map_or_else(|| self.forked(), Box::new)),
        }
    }

    /// Notes that a call that has joined waits. Refuses it, or another one, if too many do.
    pub(super) fn stay(&self, key: Key) -> Result<(), Box<AcquireError>> {
        let mut stays = Ok(());
        self.update(|state, now, wakers| stays = state.admission.wait_stacked(key, now, wakers));
        stays.map_err(|refusal| Box::new(self.error(refusal)))
    }

    /// Returns the state of a call in the queue.
    pub(super) fn look_at(&self, key: Key) -> InQueue {
        let Some(state) = self.lock() else { return InQueue::Refused(self.forked()) };
        let queue = &state.admission.queue;
        match (queue.waiter(key).map(|waiter| waiter.turn), queue.outcome(key)) {
            (Some(Turn::Reported), _) => InQueue::ItsTurn,
            (_, Some(Outcome::Refused(refusal))) => {
                let refusal = refusal.clone();
                drop(state);
                InQueue::Refused(Box::new(self.error(refusal)))
            }
            _ => InQueue::Waits,
        }
    }

    /// Returns true if the program has to be told that a call in the queue waits for long.
    pub(super) fn has_notice(&self, key: Key) -> bool {
        self.plan.on_wait().is_some() && self.lock().is_some_and(|state| state.admission.queue.is_noted(key))
    }

    /// Returns the long wait of a call in the queue that the program has to be told of.
    pub(super) fn long_wait(&self, key: Key) -> Option<LongWait> {
        self.plan.on_wait()?;
        let now = self.time.now();
        let mut state = self.lock()?;
        if state.admission.queue.is_noted(key) { state.admission.long_wait(key, now) } else { None }
    }

    /// Returns true if it may soon be the turn again of a call that was the head before.
    pub(super) fn is_turn_near(&self, key: Key) -> bool {
        let mut is_near = false;
        self.update(|state, now, _| is_near = state.admission.is_turn_near(key, now));
        is_near
    }

    /// Returns a lower bound on the wait of a call that is not in the queue.
    pub(super) fn wait_of(&self, call: &Waiter) -> Duration {
        let now = self.time.now();
        let Some(state) = self.lock() else { return Duration::ZERO };
        Duration::from_nanos(state.admission.backend.wait(call, &state.admission.queue, now).0)
    }

    /// Returns the usual time of a round trip to the store; zero without one.
    pub(super) fn round_trip(&self) -> u64 {
        if !self.driver.is_needed() {
            return 0;
        }
        self.lock().map_or(0, |state| state.admission.backend.round_trip())
    }

    /// Lets a call report again, if it is not its turn any more. `trip` is the longest round trip
    /// of the other limiters.
    pub(super) fn retract(&self, key: Key, trip: u64) {
        self.update(|state, now, _| {
            if state.admission.retract(key, trip, now) && self.plan.on_wait().is_some() {
                state.admission.queue.watch(key, now);
            }
        });
    }

    /// Has a call report as if it had never been its turn.
    pub(super) fn report_anew(&self, key: Key) {
        // It is this call that is awake.
        self.update(|state, _, _| drop(state.admission.queue.lose_patience(key)));
    }

    /// Admits what is due.
    pub(super) fn pump(&self) {
        self.update(|_, _, _| ());
    }

    /// Gives back what a call was granted that never departed.
    pub(super) fn take_back(&self, grant: &Grant) {
        self.update(|state, now, _| state.admission.take_back(grant, now));
    }
}
