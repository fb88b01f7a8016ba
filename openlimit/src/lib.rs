//! Keeps a program inside the rate limits of an LLM API, and lets it use all of them.
//!
//! Declare the limits of your account and annotate the function that calls the API. Each call then
//! waits until the limits have room for it. Requests and tokens are metered together. The tokens of
//! a request are counted before it is sent. All threads and tasks that use a limiter share its one
//! fair queue.
//!
//! ```
//! # #[cfg(all(feature = "macros", feature = "tokenizers"))] mod app {
//! use openlimit::{AcquireError, ChatRateLimiter, limiter, rate_limited};
//!
//! limiter! {
//!     /// The limits of our account for gpt-4o.
//!     pub static CHAT: ChatRateLimiter = {
//!         requests: 200 / minute,
//!         tokens: 40_000 / minute,
//!     };
//! }
//!
//! # #[derive(serde::Serialize)] struct Request { model: String, messages: Vec<()> }
//! # #[derive(serde::Serialize)] struct Reply;
//! # async fn send(_: &Request) -> Result<Reply, AcquireError> { Ok(Reply) }
//! // Settles by the usage in the reply. After a refusal, calls again when the provider allows it.
//! #[rate_limited(limiter = CHAT, params = request, feedback, retry = 3)]
//! async fn chat(request: &Request) -> Result<Reply, AcquireError> {
//!     send(request).await
//! }
//! # }
//! ```
//!
//! # Where to look
//!
//! | to | see |
//! | --- | --- |
//! | declare a limiter | [`limiter!`], which lists all keys: the methods of [`Builder`] |
//! | limit a function, sync or async | [`rate_limited`](macro@rate_limited) |
//! | limit an HTTP client | [`clients`]: adapters for reqwest, async-openai, ureq and tower |
//! | limit each tenant, user or API key | [`Keyed`]: a limiter for each |
//! | limit a call by several limiters | [`Stack`], or `limiter = (TENANT, ACCOUNT)` in the attribute |
//! | wait by hand | [`Limiter::acquire`]: an [`Acquire`] to await, then a [`Permit`] |
//! | say what a call costs, and what it used | [`Cost`], [`Usage`] |
//! | believe what responses say | [`feedback`] |
//! | settle a stream | [`Permit`](Permit#streams) |
//! | reserve what calls really use | [`Builder::output`], [`Builder::input`] |
//! | follow a provider that counts in windows | [`Builder::counting`] |
//! | follow a quota that comes back at a time of day | [`Rate::resets_at`] |
//! | keep calls within a budget of money | [`Builder::spend`] |
//! | follow limits that change, or find out unknown ones | [`Builder::adopt_limits`], [`Builder::discover`] |
//! | stop all calls for a time | [`Limiter::hold`] |
//! | bound how many calls are in flight | [`Builder::concurrency`] |
//! | keep a part of every rate for urgent calls | [`Builder::reserve`] |
//! | take the first of several limiters that is free | [`first_free`] |
//! | change limits while the program runs | [`Limiter::update`], [`reset`](Limiter::reset) |
//! | count a call that was made elsewhere | [`Limiter::charge`] |
//! | stop for good | [`Limiter::close`] |
//! | share limits between processes | `Redis`, `Builder::redis` (feature `redis`) |
//! | see what waits, and for what | [`Limiter::status`], [`Builder::on_wait`], [`Limiter::wait_for`] |
//! | read limits from a file or the environment | `LimiterConfig` (feature `serde`), [`Rate`], which is `FromStr` |
//! | know how long a list of calls takes, and why | [`Limiter::plan`] |
//! | handle what can go wrong | [`AcquireError`], [`BuildError`] |
//! | test without an account | `testing` (feature `testing`) |
//!
//! # Which keys for which provider
//!
//! Declare the limits that the provider's console shows for your account: a limiter for each pool,
//! which is usually a family of models. The defaults fit OpenAI. What differs elsewhere (as of
//! November 2026):
//!
//! | provider | limiter and limits | keys |
//! | --- | --- | --- |
//! | OpenAI | [`ChatRateLimiter`], [`ResponsesRateLimiter`] or [`EmbeddingRateLimiter`]: `requests` and `tokens` | none. It judges a call by the maximum that it names, and enforces limits per minute also per second, so keep [`Output::Named`] and the burst of 1 s |
//! | Azure OpenAI | the same, for each deployment | `counting: Counting::InWindows`, and `model`, unless an adapter reads it from the path |
//! | Anthropic | [`MessagesRateLimiter`]: `requests`, `input_tokens`, `output_tokens` | `output: Output::Learned`, since the maximum that a call names does not count, and `input: Input::Learned` if it caches prompts, which do not count either |
//! | Gemini | [`GenerateContentRateLimiter`]: `requests` per minute and day, `input_tokens`, and money: `spend: Dollars(10) / Duration::from_secs(600)` | `model`, and `prices` for `spend`. It sends no headers, so refusals alone tell of other programs |
//! | Groq | [`ChatRateLimiter`]: `requests` per day, `tokens` per minute | none |
//! | Mistral | [`ChatRateLimiter`]: `requests` per second, `tokens` per minute | none |
//! | Cerebras | [`ChatRateLimiter`]: `requests` and `tokens` per minute, hour and day | none. It judges a call by its maximum, too |
//! | Bedrock | [`MessagesRateLimiter`] for Claude: `requests`, `tokens` | `default_output: u64::MAX`, since it sets the whole maximum aside |
//! | LiteLLM's proxy, many gateways | as for the provider behind it | `counting: Counting::InWindows` |
//! | DeepSeek, Ollama, vLLM | [`ChatRateLimiter`] | `concurrency`, as they bound the calls in flight |
//!
//! If another program uses the same account, feedback or an adapter notices it; `headroom` leaves a
//! part to it from the start.
//!
//! ```
//! # #[cfg(all(feature = "macros", feature = "tokenizers"))] mod app {
//! use openlimit::*;
//! use std::time::Duration;
//!
//! limiter! {
//!     static AZURE: ChatRateLimiter = {
//!         requests: 60 / minute,
//!         tokens: 10_000 / minute,
//!         counting: Counting::InWindows,
//!         model: "gpt-4o",
//!     };
//!
//!     static CLAUDE: MessagesRateLimiter = {
//!         requests: 50 / minute,
//!         input_tokens: 30_000 / minute,
//!         output_tokens: 8_000 / minute,
//!         output: Output::Learned,
//!     };
//!
//!     static GEMINI: GenerateContentRateLimiter = {
//!         requests: 150 / minute,
//!         requests: 1_500 / day,
//!         input_tokens: 1_000_000 / minute,
//!         spend: Dollars(10) / Duration::from_secs(600),
//!         price: |_, usage| 0.3e-6 * usage.uncached_input() as f64 + 2.5e-6 * usage.output() as f64,
//!         model: "gemini-2.5-flash",
//!     };
//!
//!     static BEDROCK: MessagesRateLimiter = {
//!         requests: 100 / minute,
//!         tokens: 200_000 / minute,
//!         default_output: u64::MAX,
//!     };
//!
//!     static OLLAMA: ChatRateLimiter = { concurrency: 4 };
//! }
//! # pub fn test() {
//! #     AZURE.init().unwrap();
//! #     CLAUDE.init().unwrap();
//! #     GEMINI.init().unwrap();
//! #     BEDROCK.init().unwrap();
//! #     OLLAMA.init().unwrap();
//! # }
//! # }
//! # #[cfg(all(feature = "macros", feature = "tokenizers"))] app::test();
//! ```
//!
//! # What it guarantees
//!
//! Each limit is metered by a bucket, which refills continuously at the limit's rate. A full bucket
//! holds the *burst*: how much may be taken at once after an idle time (see [`Rate::burst`]). A
//! limit that [resets](Rate::resets_at) at a time of day counts between its resets instead.
//!
//! - **The limit holds.** In any window of length `w`, the admitted calls take at most `rate * w +
//!   max(burst, largest call)` of each limit, or, with [`Counting::InWindows`], at most the amount
//!   in any window of one period. Of a limit that resets, it is the amount between two resets. The
//!   arithmetic uses integers and never rounds in favour of a call.
//! - **All or nothing.** A call takes its cost from every limit at once, or from none.
//! - **First come, first served**, within each [`Priority`]. A large call is never overtaken by
//!   small ones of its priority.
//! - **No call hangs.** A call larger than the burst waits for a full bucket and takes it into
//!   debt, and later calls wait until that has refilled. A call larger than the whole limit fails
//!   at once with [`AcquireError::TooLarge`].
//! - **Cancel safety.** A call that is dropped while it waits leaves the queue and costs nothing.
//!
//! # How it waits
//!
//! A call that finds room is admitted at once, for about the price of reading the clock. All other
//! calls join the limiter's queue. One timer thread per process, started at the first wait, admits
//! each of them when it is due and wakes its task. So the queue moves even if the runtime of a
//! waiting task is busy or gone. Any async runtime will do, and none is needed.
//!
//! Wakers are called on the timer thread, on the thread that talks to Redis, and on threads that
//! use the limiter, for example to settle a call. A waker of your own must not block.
//!
//! # When not to use it
//!
//! It does not protect a server from its clients, and it does not retry after errors that have
//! nothing to do with limits.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `macros` | yes | the attribute [`rate_limited`](macro@rate_limited) |
//! | `tokenizers` | yes | limiters that price requests: `ChatRateLimiter` and its siblings for OpenAI, `MessagesRateLimiter` for Anthropic, `GenerateContentRateLimiter` for Gemini |
//! | `o200k` | yes | the encoding of gpt-4o and later models; 5.2 MB in the program |
//! | `cl100k` | yes | the encoding of gpt-4, gpt-3.5 and the embeddings; 2.7 MB |
//! | `p50k` | no | the encoding of text-davinci-003 and the first Codex models; 1.5 MB |
//! | `r50k` | no | the encoding of the first GPT-3 models; 1.5 MB |
//! | `tiktoken-rs` | no | `tokens::TiktokenRs`, which counts by that crate |
//! | `http` | no | [`feedback`] reads `http::Response` and `http::HeaderMap`; `Permit::wrap_body` |
//! | `stream` | no | `Permit::wrap` and `Permit::wrap_items`, for a `futures_core::Stream`; the option `stream` |
//! | `reqwest`, `async-openai`, `ureq`, `tower` | no | [`clients`]: an adapter for each |
//! | `clients` | no | their core, for other clients |
//! | `redis` | no | limits that processes and hosts share: `Builder::redis` |
//! | `time-zones` | no | [`Rate::resets_at`] in the time zones of the IANA database, whose rules take 0.2 MB in the program |
//! | `tracing` | no | [events](#events-and-metrics) under the target `openlimit`: calls, holds, refusals, limits that differ |
//! | `metrics` | no | [metrics](#events-and-metrics) of calls, and [`Status`]`::record` |
//! | `serde` | no | `LimiterConfig`: limiters from TOML, JSON or YAML; [`Status`] as data |
//! | `testing` | no | a manual clock, tokio's paused time, limiters in place of statics, and a strict provider |
//!
//! A model whose encoding is left out is counted by the nearest one that is compiled in. That may
//! count too few tokens, and `tokens::is_exact` returns `false` for the model.
//!
//! # Events and metrics
//!
//! With the feature `tracing`, each call is an event of level debug named `openlimit.acquire`, on
//! the thread and in the span of the call: when it is admitted, with the fields `limiter`, `waited`
//! (in seconds), `limit` (the one that it waited for), `position` (the number of calls before it
//! when it arrived) and `reserved`; or when it is refused. When it is settled, an event
//! `openlimit.settle` has `reserved` and `actual`. Holds and what the provider refuses are events
//! of levels info and warn, and seldom. No event contains what a provider or a user wrote.
//!
//! A call of a [`Stack`] is an event of each of its limiters, and counts in the metrics of each.
//! Its wait is that of the limiter that it waited for last, and zero in the others. If it is
//! refused, that is an event and a count of the limiter that refused it alone. So add up the
//! limiters of one level of stacks, such as all tenants, and not those of several.
//!
//! With the feature `metrics`, the recorder of that crate gets these, by `limiter`. Install it
//! before the limiter is used. [`Status`]`::record` adds gauges.
//!
//! | metric | kind | of |
//! | --- | --- | --- |
//! | `openlimit.calls.admitted` | counter | calls |
//! | `openlimit.calls.refused` | counter | calls that the limiter refused, by `reason`: `timeout`, `queue_full`, .. |
//! | `openlimit.provider.refusals` | counter | calls that the provider refused, by `status` |
//! | `openlimit.wait.duration` | histogram | the wait of each admitted call, in seconds |
//! | `openlimit.reserved`, `openlimit.used` | counters | amounts, by `dimension`; the second of settled calls |
//! | `gen_ai.client.token.usage` | histogram | the tokens of each settled call, by `gen_ai.token.type` (`input`, `output`), as in OpenTelemetry |
//!
//! # Processes that fork
//!
//! A child created by `fork` without `exec` has neither the timer thread nor the Redis driver
//! thread, and a lock that another thread held at that moment stays locked in it. So fork before
//! the first call. Otherwise a call that would have to wait in the child fails with
//! [`AcquireError::Timer`], a call of a shared limiter fails with [`AcquireError::Store`] unless a
//! lease (`Redis::lease`) admits it, and calls that were already waiting never finish in the child.

mod admission;
mod backend;
mod bucket;
pub mod clients;
#[cfg(feature = "serde")]
mod config;
mod error;
pub mod feedback;
mod learning;
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

/// The items that expansions name. Do not use them otherwise: they may change in any release.
#[doc(hidden)]
pub mod __private {
    pub use crate::macros::*;
}

#[cfg(feature = "redis")]
pub use backend::{OnOutage, Redis};
#[cfg(feature = "serde")]
pub use config::LimiterConfig;
pub use error::{
    AcquireError, BuildError, BuildProblem, FirstFreeError, FromAcquireError, ParamsError, StoreError,
    StoreProblem, StoreStatus,
};
pub use learning::{Input, LearnedSite, Output};
#[cfg(feature = "redis")]
pub use limiter::Flush;
#[cfg(all(feature = "stream", feature = "tokenizers"))]
pub use limiter::StreamItem;
#[cfg(feature = "http")]
pub use limiter::WrappedBody;
pub use limiter::{
    Acquire, AsLimiter, Builder, Burst, ByPriority, Closing, Doubling, FirstFree, Forecast, ForecastError,
    Hold, InFlightStatus, KeyLimits, Keyed, Levels, LimitForecast, LimitStatus, Limiter, OfKind, Overflow,
    PerKey, Permit, ProviderSaid, RateLimiter, Returned, Single, Stack, Status, Update, WaitReason, Waiting,
    WrappedRead, first_free,
};
#[cfg(feature = "tokenizers")]
pub use limiter::{
    ChatRateLimiter, CompletionRateLimiter, EmbeddingRateLimiter, GenerateContentRateLimiter,
    MessagesRateLimiter, ResponsesRateLimiter,
};
#[cfg(feature = "stream")]
pub use limiter::{StreamBytes, WrappedStream};
pub use limits::{
    Budget, Concurrency, Cost, Counting, Dimension, Dollars, Limit, Name, NotDollars, ParseRateError,
    Percent, Priority, Rate, Unit, Usage,
};
#[cfg(feature = "macros")]
pub use openlimit_macros::rate_limited;
pub use pricing::kind;
#[cfg(feature = "tokenizers")]
pub use pricing::money::{IntoDollars, Prices, PricesError};
#[cfg(feature = "tokenizers")]
pub use pricing::tokens::{self, Charge};
