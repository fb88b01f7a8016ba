//! What a wait will be: `Waiting`, a call that waits for long, for the program's own function
//! ([`Builder::on_wait`]), and the estimate for a call that is not made.
//!
//! That function is foreign code: it may block, panic, or use the limiter. So it is called on the
//! thread that polls the call, where no lock is held, and where only that call waits for it.
//!
//! [`Builder::on_wait`]: super::Builder::on_wait

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use crate::admission::{Cause, LongWait};
use crate::error::{AcquireError, short};
use crate::learning::{Lesson, SiteId};
use crate::limits::{Cost, Limit, Name};
use crate::sync::contain;

/// A call that waits for longer than a second. Passed to the function that
/// [`on_wait`](crate::Builder::on_wait) sets.
///
/// `Display` shows it in one line: `chat: waits for at least 12s, for 200 requests / minute, behind
/// 3 calls`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// The limiter's name.
    pub limiter: Name,
    /// The reason for the wait.
    pub reason: WaitReason,
    /// The limit that it waits for, if a limit is the reason.
    pub limit: Option<Limit>,
    /// How long it has waited: zero if the wait is known on arrival.
    pub waited: Duration,
    /// A lower bound on the rest of its wait, as things stand: if no call of a higher priority
    /// comes, and nothing is given back. `None` if none is known.
    pub wait: Option<Duration>,
    /// The number of calls that were to go before it when it arrived.
    pub position: usize,
}

/// The reason why a call waits for long. Part of a [`Waiting`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitReason {
    /// A limit has no room for it, or for the calls before it.
    Limit,
    /// The limiter is on [hold](crate::Limiter::hold), because the provider refused a call or
    /// because the program asked for it.
    Hold,
    /// Redis does not answer.
    Redis,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.limiter)?;
        match (self.waited, self.wait) {
            (Duration::ZERO, Some(wait)) => write!(f, "waits for at least {}", short(wait))?,
            (waited, Some(wait)) => {
                write!(f, "has waited for {}, and at least {} are left", short(waited), short(wait))?;
            }
            (waited, None) => write!(f, "has waited for {}", short(waited))?,
        }
        match (self.reason, &self.limit) {
            (WaitReason::Limit, Some(limit)) => write!(f, ", for {limit}")?,
            (WaitReason::Limit, None) => f.write_str(", for a limit")?,
            (WaitReason::Hold, _) => f.write_str(", for the end of a hold")?,
            (WaitReason::Redis, _) => f.write_str(", for Redis, which does not answer")?,
        }
        match self.position {
            0 => Ok(()),
            1 => f.write_str(", behind 1 call"),
            calls => write!(f, ", behind {calls} calls"),
        }
    }
}

/// A function of the program that is called for each long wait.
#[derive(Clone)]
pub(super) struct OnWait(Arc<dyn Fn(&Waiting) + Send + Sync>);

thread_local! {
    /// True while this thread runs such a function. Calls that it makes may wait, too.
    static IS_TOLD: Cell<bool> = const { Cell::new(false) };
}

impl OnWait {
    pub(super) fn new(call: impl Fn(&Waiting) + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    fn call(&self, waiting: &Waiting) {
        if !IS_TOLD.replace(true) {
            contain(|| (self.0)(waiting));
            IS_TOLD.set(false);
        }
    }
}

impl fmt::Debug for OnWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnWait(..)")
    }
}

impl Core {
    /// Tells the program of a long wait, if there is one. Called where no lock is held.
    #[inline]
    pub(super) fn tell(&self, wait: Option<LongWait>) {
        if let (Some(wait), Some(on_wait)) = (wait, self.on_wait.get()) {
            on_wait.call(&self.waiting(&wait));
        }
    }

    /// Returns a lower bound on the wait of a call of this cost that would be made now.
    pub(super) fn wait_for(&self, cost: &Cost) -> Result<Duration, AcquireError> {
        let mut amounts = self.plan.resolve(cost)?;
        let now = self.time.now();
        let Some(state) = self.lock() else { return Err(*self.forked()) };
        if let Some(priced) = self.plan.priced(cost) {
            state.admission.reserve(&Lesson { priced, site: SiteId::default() }, &mut amounts);
        }
        let wait = state.admission.wait_for(amounts, now);
        drop(state);
        wait.map(Duration::from_nanos).map_err(|refusal| self.error(refusal))
    }

    fn waiting(&self, wait: &LongWait) -> Waiting {
        let (reason, limit) = match wait.cause {
            Cause::Limit(place) => (WaitReason::Limit, self.plan.limits().get(place).cloned()),
            Cause::Hold => (WaitReason::Hold, None),
            Cause::Store => (WaitReason::Redis, None),
        };
        Waiting {
            limiter: self.plan.name().clone(),
            reason,
            limit,
            waited: Duration::from_nanos(wait.waited),
            wait: wait.further.map(Duration::from_nanos),
            position: wait.position.try_into().unwrap_or(usize::MAX),
        }
    }
}
