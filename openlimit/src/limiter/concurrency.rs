//! Bounds how many calls are in flight: the option, and what ends a call.
//!
//! `admission/in_flight.rs` has the rules. A permit ends its call once: when it is settled or
//! cancelled, when the request fails, or at the latest when it is dropped. Streams own the permit
//! of their call (`wrap/tap.rs`) until their end.
//!
//! A refusal, which cuts the concurrency, and a success, which may raise it, count in all limiters
//! of a stack before the call ends in one of them.

use super::core::{Core, State};
use super::{Builder, Permit};
use crate::admission::NO_SUCCESS;
use crate::feedback::{Denial, DenialKind, Observation};
use crate::limits::{Amounts, Concurrency};

impl<K, Keys> Builder<K, Keys> {
    /// Sets how many calls may be in flight at a time: a number, or
    /// [`Concurrency::Adaptive`] for a provider that does not state it. Default: any number.
    ///
    /// A call waits for its turn in the same queue as for the limits. When it is at the head, it is
    /// admitted as soon as the limits have room for it and one more call may be in flight. A
    /// limiter with a concurrency needs no limits, unless it is shared through Redis.
    ///
    /// A call is in flight from its admission until its [`Permit`](crate::Permit) is dropped,
    /// settled, cancelled or refused. A permit that moves into a stream is kept to the end of the
    /// stream, or until the stream is dropped. Providers count so: DeepSeek, for one, counts a
    /// request until its response is complete. If an annotated function returns a stream, give the
    /// attribute the option `stream`, or else its permit is dropped when the function returns.
    ///
    /// A call that has a permit and waits for another one of the same limiter can wait for ever,
    /// for itself, when all calls do so. Do not call a limited function in another one with the
    /// same limiter.
    ///
    /// With limits that are shared through Redis, each process counts its own calls, so divide the
    /// provider's number by that of your processes. A call that waits for another one to end
    /// departs a round trip after it.
    ///
    /// ```
    /// use openlimit::{AcquireError, Concurrency, Cost, RateLimiter, limiter};
    ///
    /// limiter! {
    ///     static DEEPSEEK: RateLimiter = { concurrency: 2 };
    ///     static OLLAMA: RateLimiter = { concurrency: Concurrency::Adaptive(1..=64) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let first = DEEPSEEK.try_acquire(Cost::new())?;
    /// let _second = DEEPSEEK.try_acquire(Cost::new())?;
    /// let refusal = DEEPSEEK.try_acquire(Cost::new()).unwrap_err();
    /// assert!(matches!(refusal, AcquireError::TooManyInFlight { most: 2, .. }));
    /// drop(first);
    /// let _third = DEEPSEEK.try_acquire(Cost::new())?;
    /// # OLLAMA.init()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn concurrency(mut self, concurrency: impl Into<Concurrency>) -> Self {
        self.options.declared.concurrency = Some(concurrency.into());
        self
    }
}

impl Core {
    /// Notes that a call is not in flight any more. Its number says if it was a success.
    pub(super) fn end_flight(&self, number: u64) {
        self.update(|state, now, _| state.admission.end_flight(number, now));
    }

    /// Returns true if one more call may be in flight.
    fn has_room_in_flight(&self) -> bool {
        self.lock().is_some_and(|state| !state.admission.is_saturated())
    }

    /// Cuts the concurrency after a refusal that can be about it.
    pub(super) fn cut_concurrency(
        &self,
        state: &mut State,
        number: u64,
        refusal: &Observation,
        amounts: &Amounts,
    ) {
        let is_full = refusal.denial().is_some_and(|denial| {
            matches!(denial.kind(), DenialKind::RateLimited | DenialKind::SlowDown | DenialKind::Overloaded)
        });
        if is_full && !self.is_about_limits(refusal, amounts) {
            state.admission.cut_concurrency(number);
        }
    }

    /// Returns true if a refusal names limits, or states that one has no room for the call.
    fn is_about_limits(&self, refusal: &Observation, amounts: &Amounts) -> bool {
        let names = refusal.denial().map_or(&[][..], Denial::violations);
        let mut stated = refusal.limits().filter_map(|limit| self.standing(limit));
        names.iter().any(|violation| violation.dimension().is_some())
            || stated.any(|said| {
                let taken = amounts.as_slice()[self.plan.dimensions()[said.place]];
                said.remaining.is_some_and(|remaining| remaining < taken)
            })
    }
}

impl Permit {
    /// Ends a call of whose request nothing is known, in each limiter: it is no success, and finds
    /// out nothing about a used-up quota. Its charge is kept.
    #[allow(dead_code, reason = "for adapters of clients")]
    pub(crate) fn end_unserved(&mut self) {
        self.each(|permit| {
            if permit.take_flight().is_some() {
                permit.core().end_flight(NO_SUCCESS);
            }
            permit.pass_probe_on();
        });
    }

    /// Notes that the call does not end with a success that counts.
    pub(super) fn end_without_success(&mut self) {
        if let Some(number) = self.flight_mut() {
            *number = NO_SUCCESS;
        }
    }

    /// Notes in which limiters of a stack a success counts: those with as many calls in flight as
    /// may be.
    ///
    /// It has to be known before the call ends in one of them. That may let another call depart
    /// from all of them, which fills the others.
    pub(super) fn judge(levels: &mut [Self]) {
        for level in levels {
            if level.flight().is_some() && level.core().has_room_in_flight() {
                level.end_without_success();
            }
        }
    }
}
