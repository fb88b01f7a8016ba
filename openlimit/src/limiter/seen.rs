//! Passes what happens to calls on to `tracing` (`events`) and `metrics` (`meters`).
//!
//! Without these features, both are replaced by files whose functions do nothing, and nothing of
//! this is left after compilation. All of it runs where no lock is held, since subscribers and
//! recorders are foreign code.

use super::core::Core;
use super::{Permit, events, meters};
use crate::error::AcquireError;
use crate::limits::{Amounts, Usage};

/// Notes that a call was admitted or refused, on the thread that made it.
#[inline(always)]
pub(super) fn decided(outcome: &Result<Permit, AcquireError>) {
    match outcome {
        Ok(permit) => {
            events::admitted(permit);
            let core = permit.core();
            meters::admitted(&core.meters, &core.plan, || (permit.waited(), permit.amounts()));
        }
        Err(error) => {
            events::denied(error);
            meters::denied(error);
        }
    }
}

/// Notes what a call used of what it had reserved.
#[inline(always)]
pub(super) fn settled(core: &Core, reserved: &Amounts, usage: &Usage) {
    events::settled(core, reserved, usage);
    meters::settled(&core.meters, &core.plan, reserved, usage);
}
