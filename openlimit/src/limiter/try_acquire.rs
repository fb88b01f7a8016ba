//! Admits a call now or not at all.
//!
//! As in `acquire`, the usual call runs through one inlined path, which makes its permit in
//! registers. All others take the slower functions below it.

use std::borrow::Borrow;

use super::core::Handle;
use super::decide::NotAtOnce;
use super::limiter::unbuilt;
use super::seen::{admitted, decided, denied};
use super::{Limiter, Permit};
use crate::error::AcquireError;
use crate::limits::{Amounts, Cost};
use crate::pricing::kind::Price;

impl<K> Limiter<K> {
    /// Admits the call now or not at all. Never waits, and never overtakes a call that waits.
    ///
    /// On limits that are shared through Redis it uses only what this process has leased: reserved
    /// ahead, see `Redis::lease`. The first call therefore fails, and requests a lease if leases
    /// are turned on.
    ///
    /// # Errors
    /// [`AcquireError::WouldWait`] if there is no capacity or another call waits,
    /// [`AcquireError::Held`] if that is because of a hold, and
    /// [`AcquireError::TooManyInFlight`] if it is because of the calls in flight. All other errors
    /// are those that an [`Acquire`](crate::Acquire) returns at its first poll.
    #[inline(always)]
    pub fn try_acquire(&self, price: impl Price<K>) -> Result<Permit, AcquireError> {
        match self.handle() {
            Ok(handle) => match price.cost(handle.core().plan.pricing()) {
                Ok(cost) => try_now(handle, cost.borrow()),
                Err(error) => Err(denied(handle.core().plan.unpriced(error))),
            },
            Err(error) => Err(denied(unbuilt(error))),
        }
    }
}

/// Admits a call now, if its amounts are few.
#[inline(always)]
fn try_now(handle: &Handle, cost: &Cost) -> Result<Permit, AcquireError> {
    match handle.core().plan.resolve_few(cost) {
        Some(few) => match handle.core().try_now(&few) {
            Ok(charge) => Ok(admitted(Permit::at_once(handle.clone(), few, charge))),
            Err(decision) => try_slowly(handle, few, decision),
        },
        None => try_any(handle, cost),
    }
}

/// Acts on the decision about a call that the quick path did not admit.
#[inline(never)]
fn try_slowly(
    handle: &Handle,
    few: [u64; Amounts::FEW],
    decision: NotAtOnce,
) -> Result<Permit, AcquireError> {
    match decision {
        NotAtOnce::Wait(wait) => handle.core().plan.now().would_wait(&few, wait).map_err(denied),
        NotAtOnce::Granted(grant) => Ok(admitted(Permit::new(handle.clone(), *grant))),
        NotAtOnce::Refused(error) => Err(denied(*error)),
    }
}

/// Admits a call of any cost now.
#[inline(never)]
fn try_any(handle: &Handle, cost: &Cost) -> Result<Permit, AcquireError> {
    let outcome = any_now(handle, cost);
    decided(outcome.as_ref());
    outcome
}

fn any_now(handle: &Handle, cost: &Cost) -> Result<Permit, AcquireError> {
    let plan = &handle.core().plan;
    let grant = plan.grant(plan.now().resolve(cost)?, cost);
    let grant = handle.core().try_any(grant).map_err(|error| *error)?;
    Ok(Permit::new(handle.clone(), grant))
}
