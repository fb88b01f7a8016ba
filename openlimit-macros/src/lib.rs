//! The attribute macro of [openlimit](https://docs.rs/openlimit), which re-exports it. Depend on
//! that crate.
//!
//! Read the modules from input to output. `options` parses the attribute and `function` parses the
//! item, with the help of `arguments`, `returns` and `tail`. `check` finds mistakes that need both.
//! `expand` emits the result, with `outcome` and `stream` for what happens after the body, and
//! `snapshots` shows it. `mistake` belongs to `limiter!`.

mod arguments;
mod check;
mod expand;
mod function;
mod mistake;
mod nearest;
mod options;
mod outcome;
mod returns;
#[cfg(test)]
mod snapshots;
mod stream;
mod tail;
mod tokens;

use proc_macro::TokenStream;

/// Makes every call of a function wait until a rate limiter admits it.
///
/// The attribute adds a wait to the start of the function and changes nothing else. An `async fn`
/// waits without blocking its thread. Any other function blocks its thread while it waits, so do
/// not call one from async code.
///
/// # Examples
///
/// Price each call by the request that it sends:
///
/// ```
/// use openlimit::{AcquireError, ChatRateLimiter, limiter, rate_limited};
/// # #[derive(serde::Serialize)]
/// # struct Request {}
/// # struct Reply;
/// # async fn send(_: Request) -> Result<Reply, AcquireError> { Ok(Reply) }
///
/// limiter! {
///     /// What our account allows for gpt-4o.
///     static CHAT: ChatRateLimiter = {
///         requests: 200 / minute,
///         tokens: 40_000 / minute,
///     };
/// }
///
/// #[rate_limited(limiter = CHAT, params = request)]
/// async fn chat(request: Request) -> Result<Reply, AcquireError> {
///     send(request).await
/// }
/// ```
///
/// This is the same function, written by hand:
///
/// ```
/// # use openlimit::{AcquireError, ChatRateLimiter, limiter};
/// # #[derive(serde::Serialize)]
/// # struct Request {}
/// # struct Reply;
/// # async fn send(_: Request) -> Result<Reply, AcquireError> { Ok(Reply) }
/// # limiter! { static CHAT: ChatRateLimiter = { tokens: 40_000 / minute }; }
/// async fn chat(request: Request) -> Result<Reply, AcquireError> {
///     let _permit = CHAT.acquire(&request).await?;
///     send(request).await
/// }
/// ```
///
/// The price is read before the wait. So the body may move the request, and nothing stays borrowed
/// while the call waits. The permit is held until the body returns.
///
/// # Options
///
/// Options are `name = value`, separated by commas, in any order. Only `limiter` is required.
///
/// - `limiter`: the limiter to wait for. A static, a field (`self.limiter`), a method call
///   (`self.pick()`), an argument, or a pointer to a limiter.
/// - `params`: the request, which can be anything `Serialize`. Its cost is what the call takes from
///   the limits. Pass the value that is sent to the API, not the text of a prompt.
/// - `cost`: the cost itself, in place of `params`. A `Cost`, or an integer for one request with
///   that many tokens.
/// - `timeout`: the longest wait, a `Duration`. If the wait is known to be longer, the call is
///   refused at once.
/// - `deadline`: the end of the wait, a `std::time::Instant`, in place of `timeout`.
/// - `priority`: the `Priority` of the call among those that wait.
/// - `on_error`: the return value for a refused call. A closure that receives the `AcquireError`.
/// - `usage`: the number of tokens that the call really used, which replaces the number that it
///   reserved. A closure that receives a reference to the reply.
/// - `feedback`, without a value: believes what the function returns. The usage in a reply settles
///   the call, and an error that is a refusal by the provider holds the limiter.
/// - `refused`: what an error says about limits, if `feedback` cannot read it. A closure that
///   receives a reference to the error, and returns an `Observation` or `(status, headers, body)`.
/// - `retry`: how often a call that the provider refused is made again, a `u32`. Needs `feedback`
///   or `refused`.
/// - `stream`, without a value: moves the permit into the stream that the function returns, which
///   settles the call. Needs the feature `stream` of openlimit. Cannot be combined with `usage`.
/// - `permit`: a name for the permit (`permit = permit` or `permit = mut permit`), so that the body
///   can settle or cancel it, or move it into a stream. Cannot be combined with `usage`,
///   `feedback`, `refused` and `stream`.
/// - `crate`: the path of openlimit, if it is renamed or re-exported.
///
/// The function is a call site: a limiter learns from the usage of its calls what the next ones
/// should reserve, if it is told to (`Builder::output`).
///
/// A limiter that prices requests, such as a `ChatRateLimiter`, needs `params` or `cost`. On a
/// plain `RateLimiter`, a call with neither takes one request.
///
/// # Refused calls
///
/// A call is refused when its cost is larger than a limit, when it would wait longer than its
/// timeout or deadline, or when the limiter cannot be built. `AcquireError` lists all reasons. The
/// body of a refused call does not run, and the function returns the `AcquireError`.
///
/// For that, the error type must implement `From<AcquireError>`. `anyhow::Error` and a boxed
/// `dyn Error` do, and your own error can:
///
/// ```
/// # use openlimit::{RateLimiter, limiter, rate_limited};
/// # limiter! { static LIMITER: RateLimiter = { requests: 5 / second }; }
/// #[derive(Debug)]
/// enum Error {
///     Refused(openlimit::AcquireError),
///     // ..
/// }
///
/// impl From<openlimit::AcquireError> for Error {
///     fn from(error: openlimit::AcquireError) -> Self {
///         Self::Refused(error)
///     }
/// }
///
/// #[rate_limited(limiter = LIMITER)]
/// async fn ping() -> Result<(), Error> {
///     Ok(())
/// }
/// ```
///
/// With any other return type, or with an error type of another crate, use `on_error`. (Or
/// implement `FromAcquireError` for a return type of your own.)
///
/// ```
/// # use openlimit::{RateLimiter, limiter, rate_limited};
/// # limiter! { static LIMITER: RateLimiter = { requests: 5 / second }; }
/// #[rate_limited(limiter = LIMITER, on_error = |_| None)]
/// async fn lookup(key: &str) -> Option<String> {
///     Some(key.to_owned())
/// }
///
/// #[rate_limited(limiter = LIMITER, on_error = |error| Err(std::io::Error::other(error)))]
/// fn read(path: &str) -> std::io::Result<String> {
///     std::fs::read_to_string(path)
/// }
/// ```
///
/// # What a call really used
///
/// `usage` receives the `Ok` value of a `Result`, or any other return value whole. It returns an
/// integer (the total of tokens), a `Usage`, or an `Option` of either. `None` keeps what was
/// reserved. `usage` is not called for an `Err` or after a panic: the request may have been sent,
/// so what was reserved stays reserved.
///
/// ```
/// # use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};
/// # limiter! { static LIMITER: RateLimiter = { tokens: 40_000 / minute }; }
/// struct Reply {
///     text: String,
///     total_tokens: u64,
/// }
///
/// #[rate_limited(limiter = LIMITER, cost = 900, usage = |reply| reply.total_tokens)]
/// fn complete(prompt: &str) -> Result<Reply, AcquireError> {
///     Ok(Reply { text: prompt.to_owned(), total_tokens: 12 })
/// }
/// # complete("Say this is a test.").unwrap();
/// ```
///
/// `usage`, `feedback`, `refused` and `stream` wrap the body, because they need what it returns. In
/// an `async fn` this stores the arguments twice, and `retry` stores them three times. So prefer
/// `permit` where they are large.
///
/// # Streams
///
/// A stream states its usage only at its end. `stream` moves the permit into it, and the stream
/// settles the call as it is read. `Permit` says when, and what happens if it breaks off.
///
/// ```
/// # use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};
/// # limiter! { static LIMITER: RateLimiter = { tokens: 40_000 / minute }; }
/// # async fn send(_: &str) -> Result<impl Stream<Item = Vec<u8>> + use<>, AcquireError> {
/// #     Ok(futures_util::stream::empty())
/// # }
/// use futures_util::Stream;
///
/// #[rate_limited(limiter = LIMITER, cost = 900, stream)]
/// async fn chat(request: &str) -> Result<impl Stream<Item = Vec<u8>> + use<>, AcquireError> {
///     send(request).await
/// }
/// ```
///
/// - The function returns an `impl Stream`, or a boxed stream such as `BoxStream` and
///   async-openai's `ChatCompletionResponseStream`. Or it returns a reader: `impl Read` or
///   `Box<dyn Read>`. Each may stand in a `Result`. An `impl` must, since there would be nothing
///   else to return for a refused call.
/// - The items are bytes, or parsed events that are `Serialize`, or results of either. Text is
///   rejected, since a model's own words must not be read as usage.
/// - An error event in the stream is a refusal, which holds the limiter.
/// - An `Err` of the function keeps what was reserved. With `feedback` or `refused` it is judged as
///   described below, and `retry` makes the call again: no part of the stream was read yet.
/// - An `Err` item is judged with `feedback`, if it is an error and not only a message. It
///   is never retried, and the stream goes on if it does.
///
/// To return anything else, such as the text of the answer, name the permit and move it into the
/// stream in the body, by `wrap`, `wrap_items`, `wrap_body` or `wrap_read`:
///
/// ```
/// # use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};
/// # use std::io::{BufRead, BufReader, Read};
/// # limiter! { static LIMITER: RateLimiter = { tokens: 40_000 / minute }; }
/// # fn send(request: &str) -> impl Read + use<> { std::io::empty() }
/// const LONGEST: std::time::Duration = std::time::Duration::from_secs(30);
///
/// #[rate_limited(limiter = LIMITER, cost = 900, timeout = LONGEST, permit = permit)]
/// fn lines(request: &str) -> Result<impl Iterator<Item = std::io::Result<String>>, AcquireError> {
///     Ok(BufReader::new(permit.wrap_read(send(request))).lines())
/// }
/// # assert_eq!(lines("Hi").unwrap().count(), 0);
/// ```
///
/// # Feedback
///
/// With `feedback`, the limiter believes what the function returns:
///
/// - The usage in a reply settles the call. The reply is the `Ok` value of a `Result`, or any other
///   return value whole. It can be anything `Serialize`: the types of client crates, a
///   `serde_json::Value`, your own. `usage` takes the place of this.
/// - An error that is a refusal by the provider holds the limiter, as `Permit::refused` does: no
///   other call is sent until the provider allows it. It can be any `std::error::Error`, an
///   `anyhow::Error` or a boxed `dyn Error`. Its sources and messages are read. `refused` takes the
///   place of this, for errors that keep the response or are no `Error`.
/// - Any other error keeps what was reserved.
///
/// `retry` makes a call again that the provider refused for now. The hold is the wait: the next
/// attempt waits in the queue, behind the calls that came before it. Every attempt is charged, and
/// has the whole `timeout`, and the same `deadline` if that is an argument. If an attempt is not
/// admitted, the function returns the `AcquireError`. Other errors, used-up quotas and requests
/// that are too large are not retried.
///
/// Each attempt gets the arguments as they were. So those that the body uses must be borrowed or
/// `Clone`, and `self` must be borrowed.
///
/// ```
/// # use openlimit::{AcquireError, ChatRateLimiter, limiter, rate_limited};
/// # #[derive(Clone, serde::Serialize)]
/// # struct Request {}
/// # #[derive(serde::Serialize)]
/// # struct Reply {}
/// # limiter! { static CHAT: ChatRateLimiter = { tokens: 40_000 / minute }; }
/// # type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
/// # async fn send(_: Request) -> Outcome<Reply> { Ok(Reply {}) }
/// #[rate_limited(limiter = CHAT, params = request, feedback, retry = 3)]
/// async fn chat(request: Request) -> Outcome<Reply> {
///     send(request).await
/// }
///
/// /// The error of a client that keeps the response.
/// struct Error {
///     status: u16,
///     headers: Vec<(String, String)>,
///     body: String,
/// }
/// # impl From<AcquireError> for Error {
/// #     fn from(_: AcquireError) -> Self {
/// #         Self { status: 0, headers: Vec::new(), body: String::new() }
/// #     }
/// # }
///
/// #[rate_limited(
///     limiter = CHAT,
///     params = request,
///     feedback,
///     refused = |error| (error.status, error.headers.clone(), &error.body),
/// )]
/// fn chat_blocking(request: &Request) -> Result<Reply, Error> {
///     // ..
/// #   Ok(Reply {})
/// }
/// ```
///
/// # Several limiters
///
/// Write a tuple of two to four limiters, from the one that the fewest calls share to the one that
/// most do. A call departs when all of them admit it, and is charged in all of them then. All
/// options work as with one limiter: see `openlimit::Stack`.
///
/// ```
/// # use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};
/// # limiter! {
/// #     static PER_USER: RateLimiter = { requests: 5 / second };
/// #     static PER_HOST: RateLimiter = { requests: 5 / second };
/// # }
/// #[rate_limited(limiter = (PER_USER, PER_HOST))]
/// async fn ping() -> Result<(), AcquireError> {
///     Ok(())
/// }
/// ```
///
/// Do not write two attributes: a call would be charged by the outer one while it waits for the
/// inner one, also if that refuses it.
///
/// # Supported functions
///
/// The attribute works on functions and methods of every kind, `async` or not. They may be generic,
/// recursive or `unsafe`, take `self` in any form and patterns as arguments, be default methods of
/// a trait, or stand in an implementation under `#[async_trait]`.
///
/// A function that is not `async` may return a future: `impl Future`, `Pin<Box<dyn Future>>` or
/// `BoxFuture`. It must then end in `async {}`, `Box::pin(async {})` or `async {}.boxed()`. The
/// wait moves into that block, and so do the options. Code in front of the block runs when the
/// function is called, and a `return` there skips the wait.
///
/// Not supported are
///
/// - a `const fn`, and a function without a body;
/// - a function that is not `async` and returns a stream outside of a `Result`. Make it an `async
///   fn` that returns the stream;
/// - a closure. Rust does not allow attributes there ("attributes on expressions are
///   experimental"). Wait inside the closure: `let _permit = CHAT.acquire(&request).await?;`.
///
/// # Caveats
///
/// - The attribute sees names, not types. A future or stream behind an alias (`-> MyFuture`) looks
///   like a plain value, so the function blocks its thread before it returns the future. Write the
///   type out, or make it an `async fn`.
/// - `#[async_trait]` unpacks patterns in arguments after the wait. To use such an argument in an
///   option, give it a name: `pair: (u64, u64)` and `cost = pair.0`.
///
/// # Other attributes
///
/// Most attributes can stand above or below this one. For some the order matters:
///
/// - `#[rate_limited]` above `#[instrument]` of tracing: the span contains the wait, and `err`
///   records refusals. The other way round, the span begins after the wait, and `err` does not see
///   refusals.
/// - `#[rate_limited]` above `#[cached]` of the crate cached: a miss waits once, and a hit does not
///   wait. The other way round, a miss waits twice and a hit once, because `cached` copies the
///   attribute to both of its functions.
#[proc_macro_attribute]
pub fn rate_limited(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(options.into(), item.into()).into()
}

/// Reports a mistake at one token. For the expansion of `limiter!` only.
#[doc(hidden)]
#[proc_macro]
pub fn __mistake(input: TokenStream) -> TokenStream {
    mistake::expand(input.into()).into()
}
