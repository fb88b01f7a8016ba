//! `Waiting`: a call that waits for long, as the program sees it. And `OnWait`: the function of the
//! program that is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::short;
use crate::limits::{Limit, Name};

/// A call that waits for longer than a second. Passed to the function that
/// [`on_wait`](crate::Builder::on_wait) sets.
///
/// `Display` shows it in one line: `chat: waits for at least 12s, for 200 requests / minute, behind
/// 3 calls`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// The name of the limiter that it waits for.
    pub limiter: Name,
    /// The reason for the wait.
    pub reason: WaitReason,
    /// The limit that it waits for, if a limit is the reason.
    pub limit: Option<Limit>,
    /// How long it has waited: zero if the wait is known on arrival. For a call of a
    /// [`Stack`](crate::Stack), in all of its limiters.
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
    /// As many calls are in flight as the [concurrency](crate::Builder::concurrency) allows.
    Concurrency,
    /// A call before it, which is one of a [`Stack`](crate::Stack), waits for another limiter.
    Stack,
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
            (WaitReason::Concurrency, _) => f.write_str(", for a call in flight to end")?,
            (WaitReason::Stack, _) => f.write_str(", for a call that waits for another limiter")?,
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
pub(crate) struct OnWait(Arc<dyn Fn(&Waiting) + Send + Sync>);

impl OnWait {
    pub(crate) fn new(call: impl Fn(&Waiting) + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    /// Calls it. It is foreign code, so it may do anything.
    pub(crate) fn call(&self, waiting: &Waiting) {
        (self.0)(waiting);
    }
}

impl fmt::Debug for OnWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnWait(..)")
    }
}
