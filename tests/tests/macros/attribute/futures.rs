//! Tests of `#[rate_limited]` on functions that return a future, and on traits.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::manual_async_fn, reason = "that shape is the test")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use openlimit::{AcquireError, RateLimiter, rate_limited};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;

type Outcome<T> = Result<T, AcquireError>;

#[tokio::test]
async fn a_block_at_the_end_waits_and_the_code_before_it_does_not() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT)]
    fn call(eager: &AtomicU32) -> impl Future<Output = Outcome<u32>> + Send + use<> {
        let number = eager.fetch_add(1, Relaxed);
        async move { Ok(number) }
    }

    let eager = AtomicU32::new(7);
    let future = call(&eager);
    assert_eq!((eager.load(Relaxed), taken(&CHAT).0), (8, 0));
    assert_eq!(future.await.unwrap(), 7);
    assert_eq!(taken(&CHAT).0, 1);
}

#[tokio::test]
async fn the_end_may_be_a_boxed_block() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT)]
    fn without_move() -> impl Future<Output = Outcome<u8>> {
        async { Ok(1) }
    }

    #[rate_limited(limiter = CHAT)]
    fn pinned(text: &str) -> Pin<Box<dyn Future<Output = Outcome<usize>> + Send + '_>> {
        Box::pin(async move {
            if text.is_empty() {
                return Ok(0);
            }
            Ok(text.len())
        })
    }

    #[rate_limited(limiter = CHAT)]
    fn pinned_by_path() -> ::std::pin::Pin<::std::boxed::Box<dyn ::std::future::Future<Output = Outcome<()>>>>
    {
        ::std::boxed::Box::pin(async { Ok(()) })
    }

    #[rate_limited(limiter = CHAT)]
    fn aliased(text: &str) -> BoxFuture<'_, anyhow::Result<usize>> {
        let trimmed = text.trim();
        Box::pin(async move { Ok(trimmed.parse()?) })
    }

    #[rate_limited(limiter = CHAT)]
    fn boxed(text: String) -> BoxFuture<'static, Outcome<String>> {
        async move { Ok(text) }.boxed()
    }

    #[rate_limited(limiter = CHAT)]
    fn boxed_local(text: &'static str) -> LocalBoxFuture<'static, Outcome<&'static str>> {
        async move { Ok(text) }.boxed_local()
    }

    #[rate_limited(limiter = CHAT)]
    fn boxed_in_a_pin() -> Pin<Box<dyn Future<Output = Outcome<()>>>> {
        Box::pin(async { Ok(()) }.boxed_local())
    }

    assert_eq!(without_move().await.unwrap(), 1);
    assert_eq!(pinned("four").await.unwrap(), 4);
    pinned_by_path().await.unwrap();
    assert_eq!(aliased(" 5").await.unwrap(), 5);
    assert_eq!(boxed("x".to_owned()).await.unwrap(), "x");
    assert_eq!(boxed_local("x").await.unwrap(), "x");
    boxed_in_a_pin().await.unwrap();
    assert_eq!(taken(&CHAT).0, 7);
}

#[tokio::test]
async fn all_options_work_in_a_block_at_the_end() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 30, usage = |length| *length)]
    fn settled(text: &str) -> BoxFuture<'_, Outcome<u64>> {
        Box::pin(async move { Ok(text.len() as u64) })
    }

    #[rate_limited(limiter = CHAT, cost = 30, permit = permit, on_error = |_| None)]
    fn cancelled() -> impl Future<Output = Option<()>> {
        async {
            permit.cancel();
            None
        }
    }

    settled("four").await.unwrap();
    assert_eq!(taken(&CHAT), (1, 4));
    assert!(cancelled().await.is_none());
    assert_eq!(taken(&CHAT), (1, 4));
}

#[async_trait::async_trait]
trait Provider: Send + Sync {
    async fn call(&self, tokens: u64) -> Outcome<String>;

    async fn call_twice(&self, tokens: u64) -> Outcome<String> {
        Ok(self.call(tokens).await? + &self.call(tokens).await?)
    }

    async fn call_pair(&self, pair: (u64, u64), array: [u64; 2]) -> Outcome<String>;
}

struct Boxed {
    limiter: RateLimiter,
}

#[async_trait::async_trait]
impl Provider for Boxed {
    #[rate_limited(limiter = self.limiter, cost = tokens)]
    async fn call(&self, tokens: u64) -> Outcome<String> {
        tokio::task::yield_now().await;
        Ok(tokens.to_string())
    }

    #[rate_limited(limiter = self.limiter, cost = tokens, usage = |text: &String| text.len() as u64)]
    async fn call_twice(&self, tokens: u64) -> Outcome<String> {
        Ok(format!("{tokens}{tokens}"))
    }

    #[rate_limited(limiter = self.limiter, cost = pair.0, usage = |first| first.parse::<u64>().unwrap_or(0))]
    async fn call_pair(&self, pair: (u64, u64), [first, ..]: [u64; 2]) -> Outcome<String> {
        Ok((first + pair.1).to_string())
    }
}

#[tokio::test]
async fn async_trait_is_supported() {
    metered! { static CHAT: RateLimiter; }
    let provider: Arc<dyn Provider> = Arc::new(Boxed { limiter: CHAT.clone() });

    assert_eq!(tokio::spawn(async move { provider.call(30).await }).await.unwrap().unwrap(), "30");
    assert_eq!(taken(&CHAT), (1, 30));
    assert_eq!(Boxed { limiter: CHAT.clone() }.call_twice(50).await.unwrap(), "5050");
    assert_eq!(taken(&CHAT), (2, 34));
    assert_eq!(Boxed { limiter: CHAT.clone() }.call_pair((50, 5), [1, 2]).await.unwrap(), "6");
    assert_eq!(taken(&CHAT), (3, 40));
}

metered! { static NATIVE: RateLimiter; }

trait Native {
    fn text(&self) -> &str;

    async fn call(&mut self, tokens: u64) -> Outcome<&str>;

    #[rate_limited(limiter = NATIVE, cost = tokens)]
    async fn default(&self, tokens: u64) -> Outcome<&str> {
        Ok(self.text())
    }

    #[rate_limited(limiter = NATIVE)]
    fn blocking(&self) -> Outcome<&str> {
        Ok(self.text())
    }
}

impl Native for String {
    fn text(&self) -> &str {
        self
    }

    #[rate_limited(limiter = NATIVE, cost = tokens)]
    async fn call(&mut self, tokens: u64) -> Outcome<&str> {
        self.push('!');
        Ok(self)
    }
}

#[tokio::test]
async fn async_functions_in_traits_are_supported() {
    let mut text = String::from("x");
    assert_eq!(text.call(2).await.unwrap(), "x!");
    assert_eq!(text.default(3).await.unwrap(), "x!");
    assert_eq!(text.blocking().unwrap(), "x!");
    assert_eq!(taken(&NATIVE), (3, 5));
}

#[tokio::test]
async fn a_dropped_call_takes_nothing_before_and_its_reservation_after_admission() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = tokens)]
    async fn call(tokens: u64) -> Outcome<()> {
        std::future::pending().await
    }

    let everything = CHAT.acquire(86_000).await.unwrap();
    assert!(call(1_000).now_or_never().is_none(), "it waits");
    everything.cancel();
    assert_eq!(taken(&CHAT), (0, 0));
    assert!(call(400).now_or_never().is_none(), "it runs");
    assert_eq!(taken(&CHAT), (1, 400));
}
