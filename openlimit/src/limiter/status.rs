//! `Status`: the state of a limiter at one moment, for dashboards and logs.
//!
//! Reading it changes nothing. A call that is due and that the timer has not admitted yet still
//! counts as waiting. Amounts are whole units of their dimension. What is available is rounded
//! down, debts and times are rounded up, so nothing looks better than it is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use crate::admission::Returned;
use crate::error::{StoreStatus, short};
use crate::limits::{Limit, Name};

/// The state of a limiter at one moment. Returned by [`Limiter::status`](crate::Limiter::status).
///
/// All durations are on the limiter's clock. `Display` shows the status in one line.
///
/// ```
/// use openlimit::{Rate, RateLimiter};
///
/// # fn main() -> Result<(), openlimit::BuildError> {
/// let limiter = RateLimiter::builder().name("chat").requests(Rate::per_day(200)).build()?;
/// let status = limiter.status()?;
/// assert_eq!(status.waiting, 0);
/// assert_eq!(status.limits[0].available, 200);
/// assert_eq!(status.to_string(), "chat: 0 waiting; 200 requests / day: 200 available");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The limiter's name.
    pub limiter: Name,
    /// The number of calls in the queue.
    pub waiting: usize,
    /// The time until the first of them is admitted. `None` if no call waits, or if Redis has not
    /// decided about it yet.
    pub next: Option<Duration>,
    /// The limits, in the order of their declaration.
    ///
    /// Shared limits are as of the last reply from Redis, as if no process had taken anything
    /// since.
    pub limits: Vec<LimitStatus>,
    /// The hold; `None` if there is none.
    pub hold: Option<Hold>,
    /// The number of calls that the provider [refused](crate::Permit::refused) for their rate
    /// although this limiter had room, while no response said how much was used or left.
    ///
    /// The provider then counts in another way. If it counts in windows, set
    /// [`Counting::InWindows`](crate::Counting), as `Display` suggests. Another program that uses
    /// the same key draws such refusals, too.
    pub unexplained_refusals: u64,
    /// The connection to Redis; `None` if the limits are not shared.
    pub store: Option<StoreStatus>,
}

/// The state of one limit, in a [`Status`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LimitStatus {
    /// The limit.
    pub limit: Limit,
    /// The largest call for which this limit has room now, in units of its dimension.
    ///
    /// It is what is left of the burst, less the jitter. While nothing is taken, it is the most
    /// that one call may ever take (the limit's amount, or the burst if that is larger), since a
    /// call larger than the burst is then admitted into debt. It rises to that during the jitter
    /// after everything has flowed back. For example, a limit of 200 per minute with a burst of one
    /// second shows 200, and after one request 2. A limit that is counted in windows takes about its
    /// period to rise. Calls in the queue come first, and are not subtracted. During a hold it is
    /// zero.
    pub available: u64,
    /// The amount that was taken beyond the burst, in the same unit, rounded up. Later calls wait
    /// until it has flowed back.
    ///
    /// It comes from calls larger than the burst, and from calls that used more than they had
    /// reserved. A limit that is counted in windows shows only what was taken beyond its amount.
    pub debt: u64,
    /// The time until everything is available again if no call takes more; at most 584 years.
    pub full_in: Duration,
    /// The amount that the provider allows, if an [observed](crate::Permit::observe) response said
    /// another one than is declared. If it is less, the rate is slowed down to it.
    pub provider_allows: Option<u64>,
    /// What settled calls gave back, and what of it came too late. `Display` shows it if more than a
    /// twentieth of what was reserved was lost that way.
    pub returned: Returned,
}

/// A hold that has not ended. Part of a [`Status`](crate::Status).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hold {
    /// The time until it ends, on the limiter's clock.
    pub ends_in: Duration,
    /// Why the limiter is on hold: the `reason` given to [`hold`](crate::Limiter::hold), or words
    /// for a hold that another process began.
    pub reason: Arc<str>,
}

impl Core {
    /// Returns the limiter's status as of now.
    pub(super) fn status(&self) -> Option<Status> {
        let now = self.time.now();
        let state = self.lock()?;
        let (waiting, due) = state.admission.waiting();
        let (looks, store) = state.admission.look(now);
        let hold = state.hold(now);
        let unexplained_refusals = state.notices.as_ref().map_or(0, |notices| notices.unexplained_refusals());
        let said: Vec<_> = (0..looks.len()).map(|place| state.admission.provider_limit(place)).collect();
        let returned = state.admission.returned().to_vec();
        drop(state);
        let states = looks.into_iter().zip(said).zip(returned);
        let limits =
            self.plan.limits().iter().zip(states).map(|(limit, ((look, said), returned))| LimitStatus {
                limit: limit.clone(),
                available: look.available,
                debt: look.debt,
                full_in: Duration::from_nanos(look.full_in),
                provider_allows: said.filter(|amount| *amount != limit.rate().amount()),
                returned,
            });
        Some(Status {
            limiter: self.plan.name().clone(),
            waiting,
            next: due.map(|due| Duration::from_nanos(due.saturating_sub(now))),
            limits: limits.collect(),
            hold,
            unexplained_refusals,
            store,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.limiter)?;
        match self.next {
            Some(next) => write!(f, "{} waiting, next in {}", self.waiting, short(next))?,
            None => write!(f, "{} waiting", self.waiting)?,
        }
        if let Some(hold) = &self.hold {
            write!(f, "; on hold for another {}: {}", short(hold.ends_in), hold.reason)?;
        }
        if let Some(error) = self.store.as_ref().and_then(|store| store.error.as_ref()) {
            write!(f, "; {error}")?;
        }
        self.limits.iter().try_for_each(|limit| write!(f, "; {limit}"))?;
        match self.unexplained_refusals {
            0 => Ok(()),
            refusals => write!(
                f,
                "; {refusals} refused although there was room: if the provider counts in windows, set \
                 `counting: Counting::InWindows`"
            ),
        }
    }
}

impl fmt::Display for LimitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} available", self.limit, self.available)?;
        if self.debt > 0 {
            write!(f, ", {} in debt", self.debt)?;
        }
        if !self.full_in.is_zero() {
            write!(f, ", full in {}", short(self.full_in))?;
        }
        if let Some(amount) = self.provider_allows {
            write!(f, ", but the provider allows {amount}")?;
        }
        if self.returned.is_wasteful() {
            write!(f, " ({})", self.returned)?;
        }
        Ok(())
    }
}
