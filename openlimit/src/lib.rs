//! Stay inside the rate limits of LLM APIs, and use all of what you pay for.

#[path = "private.rs"]
#[doc(hidden)]
pub mod __private;
mod acquire;
mod admission;
mod amounts;
mod block;
mod bucket;
mod builder;
mod core;
mod cost;
mod declare;
mod error;
mod handle;
pub mod kind;
mod limit;
mod limiter;
mod permit;
mod queue;
mod rate;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
#[cfg(feature = "tokenizers")]
pub mod tokens;
mod usage;
mod wake;

pub use acquire::Acquire;
pub use builder::{Builder, Percent};
pub use cost::Cost;
pub use error::{AcquireError, BuildError, BuildProblem, FromAcquireError, ParamsError};
pub use limit::{Dimension, Limit};
#[cfg(feature = "tokenizers")]
pub use limiter::{ChatRateLimiter, CompletionRateLimiter, EmbeddingRateLimiter, ResponsesRateLimiter};
pub use limiter::{Limiter, RateLimiter};
#[cfg(feature = "macros")]
pub use openlimit_macros::rate_limited;
pub use permit::Permit;
pub use rate::{Rate, Unit};
pub use usage::Usage;
