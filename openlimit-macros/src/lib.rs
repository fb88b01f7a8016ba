//! The attribute macro of [openlimit](https://docs.rs/openlimit), which re-exports it: depend on that crate.
//!
//! It is read from top to bottom: `options` and `function` say what was written, `expand` what becomes of it,
//! and `snapshots` shows it.

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

/// Makes every call of a function wait until a limiter admits it.
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
/// async fn call(request: Request) -> Result<Reply, AcquireError> {
///     send(request).await
/// }
/// ```
///
/// The function stays what it was; it only gets a beginning. An `async fn` waits without blocking its thread;
/// any other function blocks it, so do not call one from a thread that runs async tasks. The price of the call
/// is read before the wait, so the body may move what was priced, and nothing is borrowed while the call waits.
/// The permit is held to the end of the body.
///
/// # Options
///
/// Each is `name = value`, in any order, separated by commas.
///
/// | option | value | meaning |
/// | --- | --- | --- |
/// | `limiter` | a limiter, or a pointer to one | what to wait for: a static, a field (`self.limiter`), a method call (`self.pick()`), an argument. Required |
/// | `params` | anything `Serialize` | what to price: the value that is also sent to the API. It is borrowed, and only for a moment |
/// | `cost` | `u64`, `Cost` | the price outright; an integer is one request with that many tokens. Excludes `params` |
/// | `timeout` | `Duration` | the longest wait. The call is refused at once if it is known that the wait will be longer |
/// | `on_error` | a closure from `AcquireError` to the return type | what to return for a refused call |
/// | `usage` | a closure from a reference to the reply to a count of tokens | what the call really used, which replaces what was reserved |
/// | `permit` | `name` or `mut name` | gives the permit a name in the body, to settle or to cancel it there. Excludes `usage` |
/// | `crate` | a path | where openlimit is, if it has another name or is re-exported |
///
/// A limiter that prices params has to be given `params` or `cost`. A plain `RateLimiter` without either takes
/// one request.
///
/// # Refused calls
///
/// The body does not run, and the function returns the `AcquireError`. It does so by the trait
/// `FromAcquireError`, which every `Result<_, E>` with `E: From<AcquireError>` implements: `anyhow::Result`, a
/// boxed error, or an error of your own:
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
///
/// // Any other return type has to say what a refusal returns.
/// #[rate_limited(limiter = LIMITER, on_error = |_| None)]
/// async fn cached(key: &str) -> Option<String> {
///     Some(key.to_owned())
/// }
/// ```
///
/// # What a call really used
///
/// `usage` is given the `Ok` value of a `Result`, and any other value whole. It returns an integer (the total of
/// tokens), a `Usage`, or an `Option` of either, where `None` keeps the reservation. It is not called for an
/// `Err`, nor if the body panics: the request may have been sent, and the reservation stands.
///
/// ```
/// # use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};
/// # use std::time::Duration;
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
///
/// // A stream knows at its end only: keep the permit until then.
/// #[rate_limited(limiter = LIMITER, cost = 900, timeout = Duration::from_secs(30), permit = permit)]
/// async fn stream(prompts: &[&str]) -> Result<String, AcquireError> {
///     let text = prompts.concat();
///     permit.settle(text.len() as u64 / 4);
///     Ok(text)
/// }
/// # complete("Say this is a test.").unwrap();
/// ```
///
/// `usage` is the one option that wraps the body, to see what it returns. In an `async fn` the arguments are then
/// stored twice, so where they are large, prefer `permit`.
///
/// # Where it can stand
///
/// On functions and methods of every kind, `async` or not: generic, recursive, `unsafe`, with patterns as
/// arguments, with `self` in every form, in traits with a default body, in implementations under
/// `#[async_trait]`. A function that is not `async` and returns `impl Future`, `Pin<Box<dyn Future>>` or a
/// `BoxFuture` has to end in `async {}`, `Box::pin(async {})` or `async {}.boxed()`: the wait goes first in that
/// block, and the code before the block runs when the function is called. Options are then evaluated in the
/// block as well.
///
/// It cannot stand on a `const fn` or a function without a body. Attributes on closures are not stable Rust:
/// call `CHAT.acquire(..)` in the closure.
///
/// # Other attributes
///
/// | written | effect |
/// | --- | --- |
/// | `#[instrument]` above `#[rate_limited]` | the wait is outside of the span, and `err` does not see refusals |
/// | `#[rate_limited]` above `#[instrument]` | the wait is inside of the span, and `err` sees refusals. Usually wanted |
/// | `#[rate_limited]` above `#[cached]` | a miss waits once, a hit not at all. Usually wanted |
/// | `#[cached]` above `#[rate_limited]` | `cached` copies the attribute onto both of its functions: a hit waits once, a miss twice |
/// | two `#[rate_limited]` | a call waits for both, first for the one nearer to the function |
/// | `#[tokio::main]`, `#[test]`, `#[inline]`, .. | in any order |
///
/// # Known limits
///
/// * A function whose future hides behind an alias of your own (`-> MyFuture`) is taken for one that blocks. Write
///   the type out, or make it an `async fn`.
/// * So is one that returns a stream. Make it an `async fn` that returns the stream.
/// * Under `#[async_trait]` the names in an argument's pattern are bound after the wait. Give the argument a name
///   to use it in an option.
/// * An early `return` in front of the final `async` block of a function that is not `async` does not wait.
#[proc_macro_attribute]
pub fn rate_limited(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(options.into(), item.into()).into()
}

/// Reports a mistake at one token. For the expansion of `limiter!` alone.
#[doc(hidden)]
#[proc_macro]
pub fn __mistake(input: TokenStream) -> TokenStream {
    mistake::expand(input.into()).into()
}
