//! `Status`: what a limiter looks like at one moment, for dashboards, logs and the curious.
//!
//! It is read under the limiter's lock and changes nothing: those who are due and not yet told still wait in it.
//! Amounts are whole units of their dimension, rounded so that nothing looks better than it is.

use std::fmt;
use std::time::Duration;

use super::core::Core;
use crate::error::StoreStatus;
use crate::limits::{Limit, Name};

/// A limiter at one moment, by [`Limiter::status`](crate::Limiter::status). Its `Display` is one line.
///
/// ```
/// use openlimit::{Rate, RateLimiter};
///
/// # fn main() -> Result<(), openlimit::BuildError> {
/// let limiter = RateLimiter::builder().name("chat").requests(Rate::per_day(200)).build()?;
/// let status = limiter.status()?;
/// assert_eq!(status.waiting, 0);
/// assert_eq!(status.limits[0].available, 200);
/// assert_eq!(status.to_string(), "chat: nobody waits; 200 requests / day: 200 available");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The limiter's name.
    pub limiter: Name,
    /// How many calls wait.
    pub waiting: usize,
    /// How long the first of them still has to wait; `None` if nobody waits, or if the limits are shared and
    /// Redis has not said yet.
    pub next: Option<Duration>,
    /// Its limits, in the order of their declaration. Where they are shared, as they were when this process last heard of
    /// them, and as if nobody had taken anything since.
    pub limits: Vec<LimitStatus>,
    /// How the limiter gets on with its Redis, if it is shared.
    pub store: Option<StoreStatus>,
}

/// One limit of a [`Status`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LimitStatus {
    /// The limit.
    pub limit: Limit,
    /// The largest call that finds room in this limit now, in units of its dimension: what is left of the burst; or
    /// the whole amount while nothing is taken, since a call larger than the burst then goes into debt. While others
    /// wait, it is theirs.
    pub available: u64,
    /// How much was taken beyond the burst, rounded up, in the same units: by calls larger than it, or
    /// that used more than they had reserved. Later calls wait for it.
    pub debt: u64,
    /// How long until nothing of it is taken any more, if nobody takes more; at most 584 years.
    pub full_in: Duration,
}

impl Core {
    /// Returns the limiter's status as of now.
    pub(super) fn status(&self) -> Status {
        let now = self.time.now();
        let state = self.state.lock();
        let (waiting, due) = state.admission.waiting();
        let (looks, store) = state.admission.look(now);
        drop(state);
        let limits = self.plan.limits().iter().zip(looks).map(|(limit, look)| LimitStatus {
            limit: limit.clone(),
            available: look.available,
            debt: look.debt,
            full_in: Duration::from_nanos(look.full_in),
        });
        Status {
            limiter: self.plan.name().clone(),
            waiting,
            next: due.map(|due| Duration::from_nanos(due.saturating_sub(now))),
            limits: limits.collect(),
            store,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.limiter)?;
        match self.next {
            Some(next) => write!(f, "{} waiting, the first for another {next:.1?}", self.waiting)?,
            None if self.waiting > 0 => write!(f, "{} waiting", self.waiting)?,
            None => f.write_str("nobody waits")?,
        }
        if let Some(error) = self.store.as_ref().and_then(|store| store.error.as_ref()) {
            write!(f, "; {error}")?;
        }
        self.limits.iter().try_for_each(|limit| write!(f, "; {limit}"))
    }
}

impl fmt::Display for LimitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} available", self.limit, self.available)?;
        if self.debt > 0 {
            write!(f, ", {} in debt", self.debt)?;
        }
        if !self.full_in.is_zero() {
            write!(f, ", full in {:.1?}", self.full_in)?;
        }
        Ok(())
    }
}
