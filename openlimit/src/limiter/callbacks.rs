//! The callbacks of a limiter: from its timer, when a call is due, and from its driver, with
//! decisions of a store.
//!
//! Both are below the limiter in the tree and know it only by a trait, which is implemented here.

use std::task::Waker;

use super::core::Core;
use super::events;
use crate::backend::{Backend, Newer, Served};
use crate::error::BuildProblem;
use crate::queue::{Queue, Refusals};
use crate::time::Timed;

/// The most waiting calls whose reservations are brought up to date before a driver's work. As many
/// as a batch asks for.
const MOST_REPRICED: usize = 256;

impl Timed for Core {
    fn fire(&self, now: u64, wakers: &mut Vec<Waker>) -> Option<u64> {
        let mut state = self.lock()?;
        state.set_armed(u64::MAX);
        state.uncommon.change().rested = now.saturating_add(self.rest());
        state.admission.pump(now, wakers);
        let (next, calls) = (state.rearm(), state.calls_driver(now));
        drop(state);
        self.follow_up(None, calls);
        next
    }

    #[cfg(feature = "testing")]
    fn is_awaited(&self) -> bool {
        self.lock().is_some_and(|state| !state.admission.queue.is_empty())
    }
}

impl Served for Core {
    fn serve(&self, work: &mut dyn FnMut(&mut Backend, &Queue, u64) -> Refusals) {
        self.update(|state, now, wakers| {
            let admission = &mut state.admission;
            admission.reprice(MOST_REPRICED);
            for (key, refusal) in work(&mut admission.backend, &admission.queue, now) {
                admission.refuse(key, refusal, wakers);
            }
        });
    }

    fn take_over(&self, newer: &mut dyn FnMut(&mut Backend) -> Option<Newer>) -> bool {
        let changed: Result<(), Option<BuildProblem>> = self.change(|declared, backend| {
            // `None` is no problem: there is nothing to take over.
            let newer = newer(backend).ok_or(None)?;
            let declared = declared.updated_to(&newer.limits);
            Ok((declared, Some(newer.version)))
        });
        if changed.is_ok() {
            events::limits_updated(self.plan.name(), self.plan.now().limits());
        }
        changed.is_ok()
    }
}
