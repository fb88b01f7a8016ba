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
use crate::learning::LearnedSite;
use crate::limits::{Dimension, Limit, Name};

/// The state of a limiter at one moment. Returned by [`Limiter::status`](crate::Limiter::status).
///
/// All durations are on the limiter's clock. `{}` shows the status in one line, for logs, and
/// `{:#}` in a few aligned lines, for people. With the feature `serde` it is `Serialize`, with
/// durations in seconds.
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
    /// The same number, by priority.
    pub by_priority: ByPriority,
    /// How long the call has waited that waits longest; `None` if no call waits.
    pub longest_wait: Option<Duration>,
    /// The time until the first of them is admitted. `None` if no call waits, if it waits for one
    /// of the calls in flight to end, or if Redis has not decided about it yet.
    pub next: Option<Duration>,
    /// The limits, in the order of their declaration.
    ///
    /// Shared limits are as of the last reply from Redis, as if no process had taken anything
    /// since.
    pub limits: Vec<LimitStatus>,
    /// True if the limiter was [closed](crate::Limiter::close), and admits nothing any more.
    pub is_closed: bool,
    /// The calls in flight; `None` if the [concurrency](crate::Builder::concurrency) is not
    /// limited.
    pub in_flight: Option<InFlightStatus>,
    /// The hold of all calls; `None` if there is none.
    pub hold: Option<Hold>,
    /// The number of calls that the provider [refused](crate::Permit::refused) for their rate
    /// although this limiter had room, while no response said how much was used or left.
    ///
    /// The provider then counts in another way. If it counts in windows, set
    /// [`Counting::InWindows`](crate::Counting), as `Display` suggests. Another program that uses
    /// the same key draws such refusals, too.
    pub unexplained_refusals: u64,
    /// What was learned of the limiter's call sites, the one of the latest lesson first.
    pub learned: Vec<LearnedSite>,
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
    /// second shows 200, and after one request 2. A limit that is counted in windows takes about
    /// its period to rise. A limit that resets shows what is left of its window, and zero in the
    /// last jitter before a reset. Calls in the queue come first, and are not subtracted. During a
    /// hold it is zero.
    ///
    /// A limit that [may be higher than declared](crate::Builder::adopt_limits) shows at most the
    /// amount that it goes by now, although it admits a single call that is larger.
    pub available: u64,
    /// The amount that was taken beyond the burst, in the same unit, rounded up. Later calls wait
    /// until it has flowed back.
    ///
    /// It comes from calls larger than the burst, and from calls that used more than they had
    /// reserved. A limit that is counted in windows shows only what was taken beyond its amount.
    pub debt: u64,
    /// The time until everything is available again if no call takes more; at most 584 years.
    pub full_in: Duration,
    /// The time until the limit [resets](crate::Rate::resets_at); `None` if it does not.
    pub resets_in: Option<Duration>,
    /// The amount that the provider allows, if an [observed](crate::Permit::observe) response said
    /// another one than is declared. If it is less, the rate is slowed down to it.
    pub provider_allows: Option<u64>,
    /// What the last response said that described the limit; `None` if there was none.
    pub provider_said: Option<ProviderSaid>,
    /// The rate now, as a part of the declared one: 1 if it is as declared.
    ///
    /// It is less after a [refusal](crate::Permit::refused), until it has climbed back, and while
    /// the provider allows less. It may be more if the limiter
    /// [adopts](crate::Builder::adopt_limits) higher limits.
    pub pace: f64,
    /// What settled calls gave back, and what of it came too late. `Display` shows it if more than
    /// a twentieth of what was reserved was lost that way, and what would help.
    pub returned: Returned,
    /// The hold of this limit alone; `None` if there is none. Calls that take nothing from the
    /// limit go on.
    pub hold: Option<Hold>,
}

/// The number of waiting calls of each priority, in a [`Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ByPriority {
    /// Those of [`Priority::High`](crate::Priority::High).
    pub high: usize,
    /// Those of [`Priority::Normal`](crate::Priority::Normal).
    pub normal: usize,
    /// Those of [`Priority::Low`](crate::Priority::Low).
    pub low: usize,
}

/// What the provider last said about a limit, in a [`LimitStatus`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProviderSaid {
    /// The amount that was left of the limit, if the response said so.
    pub left: Option<u64>,
    /// The amount of the limit, if any response has said so.
    pub limit: Option<u64>,
    /// How long ago the response was read.
    pub ago: Duration,
}

/// The calls in flight, in a [`Status`]: admitted, and their permits not given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InFlightStatus {
    /// Their number. It is above `most` after the concurrency has adapted to a refusal.
    pub calls: u32,
    /// The most that may be in flight now.
    pub most: u32,
}

/// A hold that has not ended. Part of a [`Status`](crate::Status).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hold {
    /// The time until it ends, on the limiter's clock. While a quota is used up, it is the time
    /// until one call is admitted to find out if the quota is back; zero if the next call is.
    pub ends_in: Duration,
    /// True if a quota is used up. Calls are then refused with
    /// [`AcquireError::Exhausted`](crate::AcquireError::Exhausted), and do not wait.
    pub is_exhausted: bool,
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
        let plan = self.plan.now();
        let (looks, store) = state.admission.look(&plan, now);
        let (is_closed, hold) = (state.admission.is_closed(), state.hold(now));
        let unexplained_refusals =
            state.uncommon.get().notices.as_ref().map_or(0, |notices| notices.unexplained_refusals());
        let said = |place| {
            let hold = state.limit_hold(place, now);
            let allows = state.admission.provider_limit(place);
            let said = state.admission.provider_said(place);
            let said = said.map(|(left, at)| ProviderSaid { left, limit: allows, ago: since(at, now) });
            (allows, said, hold, state.admission.returned(place))
        };
        let said: Vec<_> = (0..looks.len()).map(said).collect();
        let in_flight = state.admission.in_flight();
        let [high, normal, low] = state.admission.queue.by_priority();
        let longest_wait = state.admission.queue.longest_since().map(|at| since(at, now));
        let learned = state.admission.learned();
        drop(state);
        let states = plan.limits().iter().zip(looks.into_iter().zip(said));
        let limits = states.map(|(limit, (look, (allows, said, hold, returned)))| LimitStatus {
            limit: limit.clone(),
            available: look.available,
            debt: look.debt,
            full_in: Duration::from_nanos(look.full_in),
            resets_in: look.resets_in.map(Duration::from_nanos),
            provider_said: said,
            provider_allows: allows.filter(|amount| *amount != limit.rate().amount()),
            returned,
            pace: pace(look.part),
            hold,
        });
        Some(Status {
            limiter: self.plan.name().clone(),
            waiting,
            by_priority: ByPriority { high, normal, low },
            longest_wait,
            learned,
            next: due.map(|due| Duration::from_nanos(due.saturating_sub(now))),
            limits: limits.collect(),
            is_closed,
            in_flight: in_flight.map(|(calls, most)| InFlightStatus { calls, most }),
            hold,
            unexplained_refusals,
            store,
        })
    }
}

/// Returns the time from `at` until `now`.
fn since(at: u64, now: u64) -> Duration {
    Duration::from_nanos(now.saturating_sub(at))
}

/// Returns a part of a rate, in steps of a thousandth.
#[allow(clippy::cast_precision_loss, reason = "thousandths of at most 65 536 are far below 2^52")]
fn pace((part, of): (u128, u128)) -> f64 {
    // Nearly as declared is as declared: weights are rounded up.
    let thousandths = (part.saturating_mul(2_000) / of.max(1)).div_ceil(2);
    thousandths as f64 / 1e3
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return self.write_lines(f);
        }
        write!(f, "{}: ", self.limiter)?;
        if self.is_closed {
            f.write_str("closed, ")?;
        }
        match self.next {
            Some(next) => write!(f, "{} waiting, next in {}", self.waiting, short(next))?,
            None => write!(f, "{} waiting", self.waiting)?,
        }
        if let Some(in_flight) = &self.in_flight {
            write!(f, "; {in_flight}")?;
        }
        if let Some(hold) = &self.hold {
            write!(f, "; {hold}")?;
        }
        if let Some(error) = self.store.as_ref().and_then(|store| store.error.as_ref()) {
            write!(f, "; {error}")?;
        }
        self.limits.iter().try_for_each(|limit| write!(f, "; {limit}"))?;
        self.unexplained().map_or(Ok(()), |text| write!(f, "; {text}"))
    }
}

impl Status {
    /// Returns what refusals suggest that the declared limits do not explain.
    pub(super) fn unexplained(&self) -> Option<String> {
        let refusals = Some(self.unexplained_refusals).filter(|refusals| *refusals > 0)?;
        Some(format!(
            "{refusals} refused although there was room: the provider allows less, or it counts in \
             windows: then set `counting: Counting::InWindows`"
        ))
    }
}

impl fmt::Display for LimitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |amount| self.limit.dimension().count(amount);
        write!(f, "{}: {} available", self.limit, count(self.available))?;
        if self.debt > 0 {
            write!(f, ", {} in debt", count(self.debt))?;
        }
        match self.resets_in {
            Some(time) => write!(f, ", resets in {}", short(time))?,
            None if self.full_in.is_zero() => {}
            None => write!(f, ", full in {}", short(self.full_in))?,
        }
        if let Some(amount) = self.provider_allows {
            write!(f, ", but the provider allows {amount}")?;
        }
        if (self.pace - 1.0).abs() > f64::EPSILON {
            write!(f, ", at {} times the rate", self.pace)?;
        }
        if self.returned.is_wasteful() {
            // No request reserves more than one.
            let help = match self.limit.dimension() {
                Dimension::Requests => "raise `burst`",
                _ => "raise `burst` or set `output: Learned`",
            };
            write!(f, " ({}: {help})", self.returned)?;
        }
        self.hold.as_ref().map_or(Ok(()), |hold| write!(f, ", {hold}"))
    }
}

impl fmt::Display for InFlightStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} in flight", self.calls, self.most)
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_exhausted, self.ends_in) {
            (true, Duration::ZERO) => write!(f, "no quota, the next call finds out if it is back")?,
            (true, time) => write!(f, "no quota, and no calls for another {}", short(time))?,
            (false, time) => write!(f, "on hold for another {}", short(time))?,
        }
        write!(f, ": {}", self.reason)
    }
}
