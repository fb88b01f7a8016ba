//! `Level`: one limiter of a stacked call. And what is done with all levels under their locks.
//!
//! Locks are taken in the order of ranks, one inside of the other. So no two threads can wait for
//! each other, and no other call sees a part of the levels charged and another part not.

use super::super::core::{Core, Handle};
use crate::queue::{Grant, Key, Urgency, Waiter};

/// A limiter, and what a call takes from it.
#[allow(
    missing_debug_implementations,
    unreachable_pub,
    reason = "a hidden method of a public trait returns it"
)]
pub struct Level {
    pub(in super::super) handle: Handle,
    /// What it takes. Complete once it has departed.
    pub(in super::super) grant: Grant,
    /// When the call arrived, on the limiter's clock.
    pub(super) arrived: u64,
    /// How it waits, on the limiter's clock.
    pub(super) urgency: Urgency,
}

impl Level {
    pub(super) fn core(&self) -> &Core {
        self.handle.core()
    }

    /// Notes that the call arrives now. `urgency` is that of a call that has
    /// [arrived](Urgency::at).
    pub(super) fn arrive(&mut self, urgency: Urgency) {
        self.arrived = self.core().time.now();
        self.urgency = match urgency.timeout() {
            u64::MAX => urgency,
            timeout => urgency.until(self.arrived.saturating_add(timeout)),
        };
    }

    /// Returns the call as it waits in the limiter's queue.
    pub(super) fn waiter(&self) -> Waiter {
        let lesson = self.grant.lesson.clone();
        Waiter { lesson, ..Waiter::new(self.grant.amounts.clone(), self.arrived, self.urgency) }
    }
}

/// Charges all levels now, or none of them.
///
/// # Errors
/// Returns the place of the first level without room.
pub(super) fn take_all(levels: &mut [Level]) -> Result<(), usize> {
    let Some((level, outer)) = levels.split_first_mut() else { return Ok(()) };
    let core = level.handle.core();
    let now = core.time.now();
    let Some(mut state) = core.lock() else { return Err(0) };
    if !state.admission.try_charge(&mut level.grant, now) {
        return Err(0);
    }
    match take_all(outer) {
        Ok(()) => {
            state.admission.keep(&mut level.grant, now);
            Ok(())
        }
        Err(place) => {
            state.admission.undo(&level.grant, now);
            Err(place + 1)
        }
    }
}

/// Lets a call depart from all levels, in whose queues it has these keys, or from none.
///
/// The queues have to be pumped afterwards.
///
/// # Errors
/// Returns the place of the first level in which it is not its turn.
pub(super) fn depart_all(levels: &mut [Level], keys: &[Key]) -> Result<(), usize> {
    let (Some((level, outer)), [key, keys @ ..]) = (levels.split_first_mut(), keys) else { return Ok(()) };
    let core = level.handle.core();
    let now = core.time.now();
    let Some(mut state) = core.lock() else { return Err(0) };
    let Some(due) = state.admission.turn(*key, now) else {
        state.admission.retract(*key, now);
        return Err(0);
    };
    depart_all(outer, keys).map_err(|place| place + 1)?;
    if let Some(grant) = state.admission.depart_stacked(*key, due, now) {
        level.grant = grant;
    }
    Ok(())
}
