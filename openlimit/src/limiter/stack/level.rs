//! `Level`: one limiter of a stacked call. And what is done with all levels under their locks.
//!
//! Locks are taken in the order of ranks, one inside of the other. So no two threads can wait for
//! each other, and no other call sees a part of the levels charged and another part not.

use super::super::core::{Core, Handle};
use crate::backend::Due;
use crate::queue::{Grant, Key, Urgency, Waiter};

/// A limiter, and what a call takes from it.
#[allow(
    missing_debug_implementations,
    unreachable_pub,
    reason = "a hidden method of a public trait returns it"
)]
#[derive(Clone)]
pub struct Level {
    pub(in super::super) handle: Handle,
    /// What it takes. Complete once it has departed.
    pub(in super::super) grant: Grant,
    /// The time on the limiter's clock, when it was last read.
    now: u64,
    /// When the call arrived, on the limiter's clock.
    arrived: u64,
    /// How it waits, on the limiter's clock.
    urgency: Urgency,
    /// True if it departed, and it may now be the turn of one that waits and is due, or of the
    /// driver.
    has_to_pump: bool,
    /// True if the limiter was told of the call before it joins its queue.
    pub(super) is_announced: bool,
}

impl Level {
    pub(super) fn new(handle: Handle, grant: Grant) -> Self {
        Self {
            handle,
            grant,
            now: 0,
            arrived: 0,
            urgency: Urgency::default(),
            has_to_pump: false,
            is_announced: false,
        }
    }

    pub(super) fn core(&self) -> &Core {
        self.handle.core()
    }

    /// Notes how the call is to wait. By its priority it may also take from a share of the limits.
    pub(super) fn ask(&mut self, urgency: Urgency) {
        self.urgency = urgency;
        let plan = &self.handle.core().plan;
        plan.reserve().fill(&mut self.grant.amounts, urgency.priority(), plan.width());
    }

    /// Notes that the call arrives now. `urgency` is that of a call that has
    /// [arrived](Urgency::at).
    pub(super) fn arrive(&mut self, urgency: Urgency) {
        self.arrived = self.core().time.now();
        self.urgency = urgency.since(self.arrived);
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
    read_clocks(levels);
    take_each(levels)?;
    levels.iter().filter(|level| level.has_to_pump).for_each(|level| level.core().pump());
    Ok(())
}

fn take_each(levels: &mut [Level]) -> Result<(), usize> {
    let Some((level, outer)) = levels.split_first_mut() else { return Ok(()) };
    let Some(mut state) = level.handle.core().lock() else { return Err(0) };
    if !state.admission.has_room(&mut level.grant, level.urgency.priority(), level.now) {
        return Err(0);
    }
    take_each(outer).map_err(|place| place + 1)?;
    state.admission.take_room(&mut level.grant, level.urgency.priority(), level.now);
    level.has_to_pump = !state.admission.queue.is_empty() || level.handle.core().driver.is_needed();
    Ok(())
}

/// Lets a call depart from all levels, in whose queues it has these keys, or from none: if it is
/// not its turn in one of them. Returns true if it has departed.
///
/// The queues have to be pumped then.
pub(super) fn depart_all(levels: &mut [Level], keys: &[Key]) -> bool {
    read_clocks(levels);
    depart_each(levels, keys, u64::MAX).is_some()
}

/// `late` is the time that has passed since it was due in all inner levels. Returns that for all
/// levels: the call is charged as of the last of the moments at which it was due.
fn depart_each(levels: &mut [Level], keys: &[Key], late: u64) -> Option<u64> {
    let (Some((level, outer)), [key, keys @ ..]) = (levels.split_first_mut(), keys) else {
        return Some(late);
    };
    let mut state = level.handle.core().lock()?;
    let due = state.admission.turn(*key, level.now)?;
    let late = late.min(level.now.saturating_sub(due.at));
    let late = depart_each(outer, keys, late)?;
    let due = Due { at: level.now.saturating_sub(late).max(due.at), ..due };
    if let Some(grant) = state.admission.depart_stacked(*key, due, level.now) {
        level.grant = grant;
    }
    Some(late)
}

/// Reads the clocks before any lock is taken: the lock of a clock may be held while limiters are
/// locked.
fn read_clocks(levels: &mut [Level]) {
    for level in levels {
        level.now = level.core().time.now();
    }
}
