//! Holds: for a time, a limiter admits nothing.
//!
//! A provider may refuse a call and say when to come back. Every other call would be refused until
//! then, too, and many providers count refused calls. So one refusal has to stop all calls, those
//! in the queue included.
//!
//! A hold ends without a burst. The buckets do not leak while it lasts, so what was missing when it
//! began is still missing when it ends, and the calls in the queue leave one by one.

use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, State};
use super::events;
use super::{Hold, Limiter};
use crate::backend::Buckets as _;
use crate::error::{AcquireError, BuildError};
use crate::time::nanos;

/// For how long after its end a hold of this process is still taken for the reason, in nanoseconds:
/// one second. Over Redis a hold ends a round trip later than in the process that began it.
const OWN_FOR: u64 = 1_000_000_000;

impl<K> Limiter<K> {
    /// Admits nothing for `time`: neither new calls nor those in the queue. They wait, and leave in
    /// their order when the hold ends.
    ///
    /// Use it when the provider refuses a call and says when to come back. `reason` is for errors,
    /// for [`status`](Self::status) and for events. The buckets do not refill during the hold, so
    /// it ends without a burst. Of two holds, the one that ends later counts, so a hold of zero does
    /// nothing. A hold is at most [`max_hold`](crate::Builder::max_hold) long.
    ///
    /// A call that may not wait for so long is refused with [`AcquireError::Held`]. Calls that were
    /// admitted before are not affected.
    ///
    /// With limits that are shared through Redis, the other processes learn of the hold with their
    /// next batch. Before this process has had a reply from Redis, a hold stops its own calls only.
    ///
    /// ```
    /// use openlimit::{AcquireError, Cost, Rate, RateLimiter};
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().requests(Rate::per_minute(200)).build()?;
    /// limiter.hold(Duration::from_secs(20), "429: come back in 20 s")?;
    /// let refusal = limiter.try_acquire(Cost::new()).unwrap_err();
    /// assert!(matches!(refusal, AcquireError::Held { .. }));
    /// limiter.release()?;
    /// limiter.try_acquire(Cost::new())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The problem with the declaration, if the limiter cannot be built.
    pub fn hold(&self, time: Duration, reason: impl Into<Arc<str>>) -> Result<(), BuildError> {
        let core = self.handle().map_err(Clone::clone)?.core();
        core.hold(nanos(time), reason.into());
        Ok(())
    }

    /// Ends the hold now. Does nothing if there is none.
    ///
    /// With limits that are shared through Redis, it ends a hold of any process. The others learn
    /// of that with their next batch.
    ///
    /// # Errors
    /// The problem with the declaration, if the limiter cannot be built.
    pub fn release(&self) -> Result<(), BuildError> {
        let core = self.handle().map_err(Clone::clone)?.core();
        let mut rest = 0;
        core.update(|state, now, _| {
            rest = state.admission.backend.held_until().saturating_sub(now);
            state.admission.backend.release(now);
        });
        if rest > 0 {
            events::hold_released(core.plan.name(), Duration::from_nanos(rest));
        }
        Ok(())
    }
}

impl Core {
    pub(super) fn hold(&self, time: u64, reason: Arc<str>) {
        let mut began = None;
        self.update(|state, now, _| {
            let until = self.end_of_hold(time, now);
            let backend = &mut state.admission.backend;
            if until > backend.held_until().max(now) {
                backend.hold(until, now);
                state.held_for = Some((Arc::clone(&reason), until));
                began = Some(until - now).filter(|length| state.notices().hold(*length, now));
            }
        });
        if let Some(length) = began {
            events::hold_began(self.plan.name(), Duration::from_nanos(length), &reason);
        }
    }

    /// Returns the error of a call that may not wait for the end of a hold.
    pub(super) fn held(&self, waited: u64, wait: u64) -> AcquireError {
        let now = self.time.now();
        AcquireError::Held {
            waited: Duration::from_nanos(waited),
            wait: Duration::from_nanos(wait),
            reason: self.lock().map_or_else(elsewhere, |state| state.reason(now)),
            limiter: self.plan.name().clone(),
        }
    }
}

impl State {
    /// Returns the hold at `now`, if there is one.
    pub(super) fn hold(&self, now: u64) -> Option<Hold> {
        let rest = self.admission.backend.held_until().saturating_sub(now);
        (rest > 0).then(|| Hold { ends_in: Duration::from_nanos(rest), reason: self.reason(now) })
    }

    /// Returns the reason of the hold at `now`.
    fn reason(&self, now: u64) -> Arc<str> {
        let own = self.held_for.as_ref().filter(|(_, until)| now < until.saturating_add(OWN_FOR));
        own.map_or_else(elsewhere, |(reason, _)| Arc::clone(reason))
    }
}

/// The reason of a hold that another process began.
fn elsewhere() -> Arc<str> {
    "another process that shares the limits holds its calls".into()
}
