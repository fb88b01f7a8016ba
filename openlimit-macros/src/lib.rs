//! The attribute macro of [openlimit](https://docs.rs/openlimit), which re-exports it. Depend on
//! that crate.
//!
//! Read the modules from input to output. `options` parses the attribute and `function` parses the
//! item, with the help of `returns` and `tail`. `check` finds mistakes that need both. `expand`
//! emits the result, and `snapshots` shows it. `mistake` belongs to `limiter!`.

mod check;
mod expand;
mod function;
mod mistake;
mod nearest;
mod options;
mod returns;
#[cfg(test)]
mod snapshots;
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
/// - `on_error`: the return value for a refused call. A closure that receives the `AcquireError`.
/// - `usage`: the number of tokens that the call really used, which replaces the number that it
///   reserved. A closure that receives a reference to the reply.
/// - `permit`: a name for the permit (`permit = permit` or `permit = mut permit`), so that the body
///   can settle or cancel it. Cannot be combined with `usage`.
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
/// timeout, or when the limiter cannot be built. `AcquireError` lists all reasons. The body of a
/// refused call does not run, and the function returns the `AcquireError`.
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
/// A stream knows its usage only at its end. Name the permit and settle it there. It is an ordinary
/// variable, so it can also move into a stream that the function returns.
///
/// ```
/// # use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};
/// # limiter! { static LIMITER: RateLimiter = { tokens: 40_000 / minute }; }
/// const LONGEST: std::time::Duration = std::time::Duration::from_secs(30);
///
/// #[rate_limited(limiter = LIMITER, cost = 900, timeout = LONGEST, permit = permit)]
/// async fn stream(prompts: &[&str]) -> Result<String, AcquireError> {
///     let text = prompts.concat();
///     permit.settle(text.len() as u64 / 4);
///     Ok(text)
/// }
/// ```
///
/// `usage` is the only option that wraps the body. In an `async fn` this stores the arguments
/// twice, so prefer `permit` where they are large.
///
/// # Several limiters
///
/// Write one attribute for each limiter. A call waits for all of them, first for the one nearest to
/// the function:
///
/// ```
/// # use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};
/// # limiter! {
/// #     static PER_USER: RateLimiter = { requests: 5 / second };
/// #     static PER_HOST: RateLimiter = { requests: 5 / second };
/// # }
/// #[rate_limited(limiter = PER_HOST)]
/// #[rate_limited(limiter = PER_USER)]
/// async fn ping() -> Result<(), AcquireError> {
///     Ok(())
/// }
/// ```
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
/// - a function that is not `async` and returns a stream. Make it an `async fn` that returns the
///   stream;
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
