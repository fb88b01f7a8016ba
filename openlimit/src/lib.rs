//! Stay inside the rate limits of LLM APIs, and use all of what you pay for.
//!
//! Declare what the account allows, annotate the function that calls the API, and it waits its turn. Requests and
//! tokens are metered together, the tokens of a request are counted before it is sent, and all threads and tasks
//! of the process share one fair queue.
//!
//! ```
//! # #[cfg(all(feature = "macros", feature = "tokenizers"))] mod app {
//! use openlimit::{AcquireError, ChatRateLimiter, limiter, rate_limited};
//!
//! limiter! {
//!     /// What our account allows for gpt-4o.
//!     pub static CHAT: ChatRateLimiter = {
//!         requests: 200 / minute,
//!         tokens: 40_000 / minute,
//!     };
//! }
//!
//! # #[derive(serde::Serialize)] struct Request { model: String, messages: Vec<()> }
//! # struct Reply;
//! # async fn send(_: &Request) -> Result<Reply, AcquireError> { Ok(Reply) }
//! #[rate_limited(limiter = CHAT, params = request)]
//! async fn chat(request: &Request) -> Result<Reply, AcquireError> {
//!     send(request).await
//! }
//! # }
//! ```
//!
//! # Where to look
//!
//! - [`limiter!`] declares a limiter; its keys are the methods of [`Builder`].
//! - [`rate_limited`](macro@rate_limited) makes a function wait, sync or async.
//! - [`Limiter::acquire`] is the same by hand: an [`Acquire`] to await or to block on, then a [`Permit`].
//! - [`Cost`] and [`Usage`] are what a call takes and what it turned out to take.
//! - [`Limiter::status`] shows who waits and what is left.
//! - [`AcquireError`] and [`BuildError`] are all that can go wrong.
//!
//! # What it guarantees
//!
//! In any window of length `w`, what is admitted is at most `rate * w + max(burst, largest call)`, for every limit,
//! in exact integers. Admission is in order of arrival; a call larger than the burst waits until the bucket is full
//! and then goes into debt, and one larger than the whole limit is refused at once. A dropped future costs nothing.
//!
//! # How it waits
//!
//! A call that is admitted at once costs about one look at the clock. The others stand in one queue for each
//! limiter, and one thread of the process, started at the first wait, admits each when it is due. So no call
//! depends on another one's runtime being alive, and none of tokio or its kind is needed. That thread, and for shared limits
//! the one that talks to Redis, also call the wakers, so a waker of your own must not block.
//!
//! Neither thread is there in a child made by `fork` without `exec`, and what another thread had locked just then stays locked
//! in it. So fork before the first call: what waits just then waits in the child for ever. After one, a call that would have to wait in the child fails
//! with [`AcquireError::Timer`], and each call of a shared limiter with `AcquireError::Store`, unless a lease that it held admits it.
//!
//! # When not to use it
//!
//! To protect a server from its clients; to retry what was refused all the same.
//!
//! # Features
//!
//! - `macros` (default): [`rate_limited`](macro@rate_limited).
//! - `tokenizers` (default): the limiters that read the cost of a call from its params.
//! - `o200k`, `cl100k` (default), `p50k`, `r50k`: the encodings that tokens are counted by. The first is that of gpt-4o and
//!   later, the second that of gpt-4, gpt-3.5 and the embeddings, the others those of older models. They take 5.2, 2.7,
//!   1.5 and 1.5 MB of the program. A model whose encoding is left out is counted by the nearest, which may
//!   be too low; `tokens::is_exact` tells.
//! - `tiktoken-rs`: that crate as a limiter's `tokenizer`, for those who prefer it.
//! - `redis`: limits that processes and hosts share, by `Builder::redis`.
//! - `testing`: a clock that tests move by hand, tokio's paused time, and a strict provider to test against.

mod admission;
mod backend;
mod bucket;
mod error;
mod limiter;
mod limits;
mod macros;
mod pricing;
mod queue;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
#[cfg(feature = "tokenizers")]
mod tokenizer;

/// What expansions name. Not for anything else: it may change in any release.
#[doc(hidden)]
pub mod __private {
    pub use crate::macros::*;
}

#[cfg(feature = "redis")]
pub use backend::{OnOutage, Redis};
pub use error::{
    AcquireError, BuildError, BuildProblem, FromAcquireError, ParamsError, StoreError, StoreProblem,
    StoreStatus,
};
#[cfg(feature = "redis")]
pub use limiter::Flush;
pub use limiter::{Acquire, Builder, LimitStatus, Limiter, Permit, RateLimiter, Status};
#[cfg(feature = "tokenizers")]
pub use limiter::{ChatRateLimiter, CompletionRateLimiter, EmbeddingRateLimiter, ResponsesRateLimiter};
pub use limits::{Cost, Dimension, Limit, Name, Percent, Rate, Unit, Usage};
#[cfg(feature = "macros")]
pub use openlimit_macros::rate_limited;
pub use pricing::kind;
#[cfg(feature = "tokenizers")]
pub use pricing::tokens::{self, Charge};
