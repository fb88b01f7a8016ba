//! Adapters for HTTP clients: every request that a client sends waits for its limiter.
//!
//! The attribute limits one function. An adapter limits a client, wherever in a program or in a
//! library its requests come from, the retries that the client hides included. There is one type,
//! [`LimitLayer`], and it fits into each client in that client's own way:
//!
//! | client | feature | how |
//! | --- | --- | --- |
//! | reqwest, and what is built on it | `reqwest` | a middleware of the crate `reqwest-middleware` |
//! | async-openai | `async-openai` | a layer below its retry layer |
//! | ureq | `ureq` | a middleware |
//! | hyper, tonic, and other services of `http::Request` | `tower` | a layer |
//!
//! For each attempt to send a request, it
//!
//! 1. reads the cost from the path and the body, see [`cost_of_body`],
//! 2. waits until the limiter admits it, and sends the request unchanged,
//! 3. lets the limiter believe the headers, the refusal and the usage of the response, as
//!    [`feedback`](crate::feedback) says. The usage is read while the program reads the body.
//!
//! The response is passed on unchanged, and a stream stays a stream. Of an error, up to 16 KiB of
//! the body are read first, so that the limiter is on hold before the program sees it. If the body
//! does not come within a second, or within 100 ms where the headers state the wait, the response
//! is passed on without it, and judged by what is known. A request that is dropped while it waits
//! costs nothing. One that is dropped later keeps its charge, as it may have been sent. One that
//! finds no connection costs nothing, also if a response has redirected it there.
//!
//! # Which requests are limited
//!
//! Those that send JSON, since they ask a model for an answer. A request passes as if there were no
//! adapter
//!
//! - if it sends no JSON, such as the list of models or the upload of a file, or
//! - if the end of its path says that it counts against other limits: it counts tokens
//!   (`/v1/messages/count_tokens`, `:countTokens`, `/v1/responses/input_tokens`), starts or cancels
//!   a job (`/batches`, `/fine_tuning/jobs`), moderates, or stores something (`/vector_stores`).
//!   Providers limit these apart, and what they respond is not about the limits of a model. To
//!   limit them, give their cost by [`LimitLayer::cost`].
//!
//! A request of JSON whose cost cannot be read fails with [`AcquireError::Params`], because a
//! request that nobody counts would break the limit. If its path is not known, there are three
//! answers:
//!
//! - a limiter of one kind, such as a `ChatRateLimiter`, reads its own kind at any such path,
//! - a [`RateLimiter`](crate::RateLimiter) that limits nothing but requests takes one request,
//! - [`LimitLayer::cost`] gives the cost, and [`LimitLayer::choose`] lets it pass or chooses
//!   another limiter.
//!
//! # Where to put it
//!
//! Inside whatever retries, so that each attempt is counted, and outside of timeouts, so that they
//! do not run while a request waits. The timeouts of reqwest and ureq are inside of it. A timeout
//! around it includes the wait; [`LimitLayer::timeout`] fails as soon as the wait is known to be
//! too long. It sends nothing again by itself: a refused request is the client's to retry.
//!
//! For several limits, give one layer a tuple of limiters. Of two layers, the outer one keeps the
//! charge of a request that the inner one does not admit, because it cannot know that nothing was
//! sent.
//!
//! | client | retries |
//! | --- | --- |
//! | reqwest | those of the crate `reqwest-retry`, added before this layer, and `reqwest_retries`, a policy for `ClientBuilder::retry` of reqwest itself, which sends again at once if the limiter has room. No other policy there: it is below every middleware, so nobody would count what it sends. Without a policy, reqwest, also below async-openai, sends again only what a server of HTTP/2 has refused to process. Nobody counts that either: `.retry(reqwest::retry::never())` turns it off |
//! | async-openai | those of its `OpenAIRetryLayer`, above this layer |
//! | ureq | it has none: send again in a loop around the call |
//! | hyper, tower | those of `tower::retry`, above this layer |
//!
//! # Errors
//!
//! If a request is not admitted, the client's own error carries the [`AcquireError`].
//! [`AcquireError::find`] finds it.
//!
//! # Another client
//!
//! A client of your own needs three calls: [`LimitLayer::acquire`] before it sends a request, then
//! [`Permit::observe`] or [`Permit::refused`] when the head of the response is there, and
//! [`Permit::wrap_body`] or [`Permit::wrap_read`] for the body. If there is no response, pass the
//! error to [`Permit::refused`], or else [`Concurrency::Adaptive`] counts the call as a success.
//!
//! [`cost_of_body`]: crate::Limiter::cost_of_body
//! [`AcquireError`]: crate::AcquireError
//! [`AcquireError::find`]: crate::AcquireError::find
//! [`AcquireError::Params`]: crate::AcquireError::Params
//! [`Concurrency::Adaptive`]: crate::Concurrency::Adaptive
//! [`Permit::observe`]: crate::Permit::observe
//! [`Permit::refused`]: crate::Permit::refused
//! [`Permit::wrap_body`]: crate::Permit::wrap_body
//! [`Permit::wrap_read`]: crate::Permit::wrap_read

// The files:
//
// * `layer`, `any_limiter`: which limiter admits a request, at what cost; one type for all
//   limiters.
// * `outgoing`, `observe`, `reply`: a request, the head of its response, and the response as it is
//   passed on.
// * `sent_call`: a call without a response, so far.
// * `failed_call`, `part_read`: a call whose response is an error, and a body that was read in
//   part.
// * `errors`, `known_error`: what errors say of a refusal, and how those of one client are read.
// * `reqwest`, `retries`, `async_openai`, `tower`, `ureq`: the clients, and reqwest's own retries.
// * `response`: the requests and responses of reqwest, which async-openai passes on, too.
// * `service`, `cost_layer`: what a layer makes of a service of tower, and costs that no body
//   states.

#[cfg(feature = "clients")]
mod any_limiter;
#[cfg(feature = "async-openai")]
mod async_openai;
#[cfg(feature = "tower")]
mod cost_layer;
mod errors;
#[cfg(any(feature = "async-openai", feature = "reqwest", feature = "tower", feature = "ureq"))]
mod failed_call;
mod known_error;
#[cfg(feature = "clients")]
mod layer;
#[cfg(any(feature = "async-openai", feature = "reqwest", feature = "tower", feature = "ureq"))]
mod observe;
#[cfg(feature = "clients")]
mod outgoing;
#[cfg(feature = "ureq")]
mod part_read;
#[cfg(any(feature = "async-openai", feature = "reqwest", feature = "tower"))]
mod reply;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(any(feature = "async-openai", feature = "reqwest"))]
mod response;
#[cfg(feature = "reqwest")]
mod retries;
#[cfg(any(feature = "async-openai", feature = "reqwest", feature = "tower", feature = "ureq"))]
mod sent_call;
#[cfg(any(feature = "async-openai", feature = "tower"))]
mod service;
#[cfg(feature = "tower")]
mod tower;
#[cfg(feature = "ureq")]
mod ureq;

#[cfg(feature = "tower")]
pub use self::cost_layer::{CostLayer, CostService};
#[cfg(any(feature = "async-openai", feature = "reqwest", feature = "tower"))]
pub use self::reply::LimitedBody;
#[cfg(feature = "reqwest")]
pub use self::retries::reqwest_retries;
#[cfg(any(feature = "async-openai", feature = "tower"))]
pub use self::service::LimitService;
#[cfg(feature = "clients")]
pub use self::{any_limiter::AnyLimiter, layer::LimitLayer, outgoing::Outgoing};
