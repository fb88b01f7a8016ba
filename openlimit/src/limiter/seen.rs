//! Passes what happens to calls on to `tracing` (`events`) and `metrics` (`meters`).
//!
//! Without these features, both are replaced by files whose functions do nothing, and nothing of
//! this is left after compilation. All of it runs where no lock is held, since subscribers and
//! recorders are foreign code.
//!
//! A call of several limiters is passed on once for each of them, so that what is seen of a limiter
//! is complete. Its wait belongs to the limiter that it waited for last. A refusal belongs to the
//! limiter that refused the call, and is passed on once.

use super::core::Core;
use super::{Permit, events, meters};
use crate::error::AcquireError;
use crate::limits::{Amounts, Usage};

/// Notes that a call was admitted or refused, on the thread that made it.
#[inline(always)]
pub(super) fn decided(outcome: Result<&Permit, &AcquireError>) {
    match outcome {
        Ok(permit) => note(permit),
        Err(error) => note_denied(error),
    }
}

/// Notes that a call was admitted, and returns its permit.
///
/// The quick path uses this, before the permit becomes part of a result: a result that something
/// has looked at is copied once more, and it is five times as large.
#[inline(always)]
pub(super) fn admitted(permit: Permit) -> Permit {
    note(&permit);
    permit
}

#[inline(always)]
fn note(permit: &Permit) {
    events::admitted(permit);
    meters::admitted(permit.levels().iter().map(|level| {
        let core = level.core();
        (&core.plan.meters, &**core.plan, level.waited(), level.amounts())
    }));
}

/// Notes that a call was refused, and returns the error.
#[cold]
pub(super) fn denied(error: AcquireError) -> AcquireError {
    note_denied(&error);
    error
}

#[inline(always)]
fn note_denied(error: &AcquireError) {
    events::denied(error);
    meters::denied(error);
}

/// Notes what a call used of what it had reserved.
#[inline(always)]
pub(super) fn settled(core: &Core, reserved: &Amounts, usage: &Usage) {
    events::settled(core, reserved, usage);
    meters::settled(&core.plan.meters, &core.plan, reserved, usage);
}
