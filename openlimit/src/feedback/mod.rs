//! Reads what a response says about limits, usage and refusals.
//!
//! Nobody knows a limit better than the provider, and every response carries some of that
//! knowledge: what is left, what the call cost, why it was refused, and when to come back. This
//! module reads it, from every provider in the same way, because users do not name theirs and
//! gateways mix them. Its result is an [`Observation`]. It knows no HTTP type, no limiter and no
//! clock.
//!
//! The reader is tolerant. It ignores what is absent, negative, malformed or unknown, and never
//! fails. It reads a fixed list of headers and keeps numbers only, so no secret can leak.
//!
//! | files | read |
//! | --- | --- |
//! | `observation`, `verdict` | a response, and what it means |
//! | `names`, `observed_limit`, `policies` | headers: which are read, and the state of each limit |
//! | `body`, `json`, `words`, `sentence`, `denial` | errors: their codes, phrases and numbers |
//! | `usage`, `tally` | usage, in whole bodies and in streams |
//! | `event` | a Realtime event |
//! | `duration`, `date` | the many ways to write a time |
//! | `http` | the types of the crate `http` |

mod body;
mod date;
mod denial;
mod duration;
mod event;
#[cfg(feature = "http")]
mod http;
mod json;
mod names;
mod observation;
mod observed_limit;
mod policies;
mod sentence;
mod tally;
mod usage;
mod verdict;
mod words;

use std::time::{Duration, SystemTime};

pub use self::denial::{Denial, DenialKind, Violation};
pub use self::observation::Observation;
pub use self::observed_limit::ObservedLimit;
pub use self::usage::UsageReader;
pub use self::verdict::Verdict;

/// Reads the value of a `retry-after` header: seconds, a duration with units, or a date.
///
/// `date` is the time of the response, from its `Date` header or from a clock. It is needed only if
/// the value is a date; a date that has passed is a wait of zero. Returns `None` if the value is
/// malformed.
///
/// ```
/// use openlimit::feedback::retry_after;
/// use std::time::Duration;
///
/// assert_eq!(retry_after("12.5", None), Some(Duration::from_millis(12_500)));
/// assert_eq!(retry_after("-1", None), None);
/// ```
#[must_use]
pub fn retry_after(value: impl AsRef<[u8]>, date: Option<SystemTime>) -> Option<Duration> {
    let moment = date::Moment::read_retry_after(value.as_ref().trim_ascii())?;
    moment.after(date.and_then(date::since_1970))
}
