//! Compiles one function and one declaration of each shape under every lint group that a careful
//! user may deny. `clippy` runs the test.

#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery, clippy::cargo)]
#![deny(rust_2018_idioms, unused, unreachable_pub, missing_docs, unused_qualifications, unused_results)]
#![allow(clippy::cargo_common_metadata, clippy::multiple_crate_versions, reason = "not of the expansions")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use openlimit::{AcquireError, ChatRateLimiter, Percent, Permit, RateLimiter, limiter, rate_limited};

limiter! {
    /// The chat models.
    static CHAT: ChatRateLimiter = {
        requests: 200 / minute,
        requests: 10_000 / day,
        tokens: 40_000 / minute,
        headroom: Percent(5),
        burst: Duration::from_secs(60),
    };

    static PLAIN: RateLimiter = { requests: 1_000_000 / day, tokens: 1_000_000 / day, name: std::env::var("CARGO_PKG_NAME")? };
}

#[rate_limited(limiter = CHAT, params = request)]
async fn plain(request: &[u8]) -> Result<usize, AcquireError> {
    use std::convert::identity;
    tokio::task::yield_now().await;
    Ok(identity(request.len()))
}

#[rate_limited(limiter = PLAIN)]
fn one_line() -> Result<u8, AcquireError> {
    Ok(1)
}

#[rate_limited(limiter = PLAIN, on_error = |_| ())]
async fn empty() {}

#[rate_limited(limiter = PLAIN, on_error = |_| ())]
fn empty_blocking() {}

#[rate_limited(limiter = PLAIN, on_error = |_| None, timeout = Duration::from_secs(1), cost = 5)]
async fn options(number: Option<u8>) -> Option<u8> {
    let number = number?;
    number.checked_add(1)
}

#[rate_limited(limiter = PLAIN, cost = 5, feedback, retry = 1)]
async fn retried(mut text: String, number: &mut u8) -> Result<String, AcquireError> {
    use std::fmt::Write as _;
    *number = number.checked_add(1).unwrap_or_default();
    let _written = write!(text, "!");
    Ok(text)
}

#[rate_limited(limiter = PLAIN, refused = |_| (429, [("retry-after", "1")], ""), retry = 1)]
fn retried_blocking((text, _): (&str, u8), _unused: u8) -> Result<usize, AcquireError> {
    Ok(text.len())
}

#[rate_limited(limiter = PLAIN, cost = 5, usage = |text| text.len() as u64)]
async fn usage(mut text: String) -> Result<String, AcquireError> {
    use std::fmt::Write as _;
    if text.is_empty() {
        return Ok(text);
    }
    let _written = write!(text, "!");
    Ok(text)
}

#[rate_limited(limiter = PLAIN, cost = 5, usage = |text| text.len() as u64)]
fn usage_blocking(mut text: String) -> Result<String, AcquireError> {
    text.push('!');
    Ok(text)
}

#[rate_limited(limiter = PLAIN, cost = 5, stream)]
async fn stream(mut text: String) -> Result<impl Stream<Item = Vec<u8>>, AcquireError> {
    text.push('!');
    Ok(stream::iter([text.into_bytes()]))
}

#[rate_limited(limiter = PLAIN, cost = 5, stream, feedback, retry = 1)]
fn stream_blocking(text: &str) -> Result<BoxStream<'_, Result<&[u8], AcquireError>>, AcquireError> {
    Ok(stream::iter([Ok(text.as_bytes())]).boxed())
}

#[rate_limited(limiter = PLAIN, permit = permit)]
async fn permit() -> Result<Permit, AcquireError> {
    Ok(permit)
}

#[rate_limited(limiter = PLAIN)]
fn boxed(text: &str) -> Pin<Box<dyn Future<Output = Result<usize, AcquireError>> + Send + '_>> {
    let trimmed = text.trim();
    Box::pin(async move { Ok(trimmed.len()) })
}

#[rate_limited(limiter = PLAIN)]
async fn generic<T: Into<String> + Send>(text: T, _unused: [u8; 4]) -> Result<impl Send, AcquireError> {
    Ok(text.into())
}

#[rate_limited(limiter = PLAIN, on_error = |error| panic!("{error}"))]
#[allow(dead_code, reason = "it would end the test")]
fn diverge() -> ! {
    std::process::exit(0)
}

struct Client {
    limiter: Arc<RateLimiter>,
    calls: u32,
}

impl Client {
    #[rate_limited(limiter = self.limiter)]
    async fn call(&mut self) -> Result<&u32, AcquireError> {
        self.calls += 1;
        Ok(&self.calls)
    }

    #[rate_limited(limiter = self.limiter, usage = |calls| u64::from(**calls))]
    fn blocking(&mut self) -> Result<&u32, AcquireError> {
        self.calls += 1;
        Ok(&self.calls)
    }
}

#[tokio::test]
async fn every_shape_is_clean() {
    assert_eq!(one_line().unwrap(), 1);
    empty().await;
    empty_blocking();
    assert_eq!(options(Some(1)).await, Some(2));
    assert_eq!(usage("x".to_owned()).await.unwrap(), "x!");
    assert_eq!(retried("x".to_owned(), &mut 1).await.unwrap(), "x!");
    assert_eq!(retried_blocking(("x", 1), 1).unwrap(), 1);
    assert_eq!(usage_blocking("x".to_owned()).unwrap(), "x!");
    assert_eq!(stream("x".to_owned()).await.unwrap().collect::<Vec<_>>().await, [b"x!"]);
    assert_eq!(stream_blocking("x").unwrap().count().await, 1);
    assert_eq!(permit().await.unwrap().waited(), Duration::ZERO);
    assert_eq!(boxed(" x").await.unwrap(), 1);
    let _text = generic("x", [0; 4]).await.unwrap();
    let mut client = Client { limiter: Arc::new(PLAIN.clone()), calls: 0 };
    assert_eq!(*client.call().await.unwrap(), 1);
    assert_eq!(*client.blocking().unwrap(), 2);
    drop(plain(b"x"));
}
