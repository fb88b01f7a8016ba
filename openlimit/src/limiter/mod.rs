//! The types that programs use: the limiter, its builder, pending acquisitions and permits.
//!
//! [`Core`](core::Core) combines the immutable plan, the state behind a lock, a clock, and a driver
//! (the part of a shared backend that talks to its store). `decide` and `steps` hold what is done
//! with that state. The public types are thin shells around both: they turn prices into amounts,
//! and what the core grants into permits. So the rules need not know how programs use them.
//!
//! | file | contains |
//! | --- | --- |
//! | `limiter`, `kinds` | `Limiter`, and its name for each kind of request |
//! | `builder/` | `Builder`: the options, and their checks |
//! | `source`, `building` | where a limiter comes from; declarations that would wait for themselves |
//! | `core`, `plans` | what all clones have in common; the plan, which an update replaces |
//! | `decide`, `steps`, `callbacks` | what is done with the state: when a call arrives, and later |
//! | `acquire/`, `try_acquire`, `charge` | the ways to ask for a permit |
//! | `permit/`, `wrap/` | `Permit`: an admitted call; the streams that own one |
//! | `observe`, `refused` | what a response changes: what is left, and why a call was refused |
//! | `believed` | how much usage a reply can state |
//! | `matching`, `adopt` | the limit that a response describes, also if it is higher than declared |
//! | `hold`, `hold_times`, `congestion`, `concurrency` | how a refusal slows calls down |
//! | `keyed/`, `stack/`, `first_free` | a limiter for each key; several for one call: all, or any |
//! | `status/`, `forecast/`, `waits`, `body` | what a limiter says: its state, waits and costs |
//! | `seen`, `events`, `meters`, `record` | what it passes on to `tracing` and `metrics` |
//! | `reports`, `notices` | what responses said that is worth a report |
//! | `update`, `reset`, `close`, `flush` | what programs do with it while it runs |
//! | `overrides`, `for_tests` | what only tests of programs need |

mod acquire;
mod adopt;
mod believed;
#[cfg(feature = "tokenizers")]
mod body;
mod builder;
mod building;
mod callbacks;
mod charge;
mod close;
mod concurrency;
mod congestion;
mod core;
mod decide;
#[cfg_attr(not(feature = "tracing"), path = "no_events.rs")]
mod events;
mod first_free;
#[cfg(feature = "redis")]
mod flush;
#[cfg(feature = "testing")]
mod for_tests;
mod forecast;
mod hold;
mod hold_times;
mod keyed;
mod kinds;
#[allow(clippy::module_inception, reason = "the type that the module is named after")]
mod limiter;
#[cfg(all(test, openlimit_loom))]
mod loom_model;
mod matching;
#[cfg_attr(not(feature = "metrics"), path = "no_meters.rs")]
mod meters;
mod notices;
mod observe;
#[cfg_attr(not(feature = "testing"), path = "no_overrides.rs")]
mod overrides;
mod permit;
mod plans;
#[cfg(feature = "metrics")]
mod record;
mod refused;
mod reports;
mod reset;
mod seen;
mod source;
mod stack;
mod status;
mod steps;
#[cfg(all(test, feature = "testing"))]
mod tests;
mod try_acquire;
mod update;
mod waits;
mod wrap;

pub use self::acquire::Acquire;
pub use self::builder::{Builder, Burst, Single};
pub use self::close::Closing;
pub use self::first_free::{FirstFree, first_free};
#[cfg(feature = "redis")]
pub use self::flush::Flush;
#[cfg(feature = "testing")]
pub use self::for_tests::{Overridden, Override, unlimited};
pub use self::forecast::{Doubling, Forecast, ForecastError, LimitForecast};
pub use self::keyed::{KeyLimits, Keyed, OfKind, PerKey};
pub use self::kinds::RateLimiter;
#[cfg(feature = "tokenizers")]
pub use self::kinds::{
    ChatRateLimiter, CompletionRateLimiter, EmbeddingRateLimiter, GenerateContentRateLimiter,
    MessagesRateLimiter, ResponsesRateLimiter,
};
pub use self::limiter::Limiter;
pub use self::permit::Permit;
pub(crate) use self::source::Fill;
pub use self::stack::{AsLimiter, Levels, Stack};
pub use self::status::{ByPriority, Hold, InFlightStatus, LimitStatus, ProviderSaid, Status};
pub use self::update::Update;
#[cfg(all(feature = "stream", feature = "tokenizers"))]
pub use self::wrap::StreamItem;
#[cfg(feature = "stream")]
pub(crate) use self::wrap::Tap;
#[cfg(feature = "http")]
pub use self::wrap::WrappedBody;
pub use self::wrap::WrappedRead;
#[cfg(feature = "stream")]
pub use self::wrap::{StreamBytes, WrappedStream};
pub use crate::admission::{Returned, WaitReason, Waiting};
pub use crate::queue::Overflow;
