//! `Status`: the state of a limiter at one moment, for dashboards and logs.
//!
//! Reading it changes nothing. A call that is due and that the timer has not admitted yet still
//! counts as waiting. Amounts are whole units of their dimension. What is available is rounded
//! down, debts and times are rounded up, so nothing looks better than it is.
//!
//! `read` reads it. `line` and `lines` show it, in one line and in several, and `data` serialises
//! it.

#[cfg(feature = "serde")]
mod data;
mod line;
mod lines;
mod read;

use std::sync::Arc;
use std::time::Duration;

use crate::admission::Returned;
use crate::error::StoreStatus;
use crate::learning::LearnedSite;
use crate::limits::{Limit, Name};

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
    /// of the calls in flight to end, or if Redis has not granted it yet, which it does up to two
    /// look-aheads ahead.
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
