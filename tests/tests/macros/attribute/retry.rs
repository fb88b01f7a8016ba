//! Tests of `retry`: a call that the provider refused is made again, through the queue.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::{AcquireError, Rate, RateLimiter, limiter, rate_limited};
use tokio::time::Instant;

/// What a provider answers.
#[derive(Debug, PartialEq)]
enum Failed {
    /// It refuses the call, with this status and this wait in milliseconds.
    Refused(u16, u64),
    /// The limiter did not admit it.
    NotAdmitted,
}

impl From<AcquireError> for Failed {
    fn from(_: AcquireError) -> Self {
        Self::NotAdmitted
    }
}

impl Failed {
    fn read(&self) -> Observation {
        match self {
            Self::Refused(status, wait) => {
                Observation::new(*status).header("retry-after-ms", wait.to_string())
            }
            Self::NotAdmitted => Observation::new(0),
        }
    }
}

type Outcome<T> = Result<T, Failed>;

/// Counts attempts, and fails as often as it is told to.
#[derive(Default)]
struct Server {
    attempts: AtomicU32,
}

impl Server {
    /// Refuses the first `refusals` attempts.
    fn answer(&self, refusals: u32, with: (u16, u64)) -> Outcome<u32> {
        let attempts = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        if attempts <= refusals { Err(Failed::Refused(with.0, with.1)) } else { Ok(attempts) }
    }
}

/// A refusal with a wait of 20 s.
const REFUSED: (u16, u64) = (429, 20_000);

fn is_send<T: Send>(value: T) -> T {
    value
}

fn limiter() -> RateLimiter {
    RateLimiter::builder().requests(Rate::per_day(1_000)).tokens(Rate::per_day(1_000)).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_waits_for_the_end_of_the_hold_and_is_made_again() {
    #[rate_limited(limiter = limiter, refused = Failed::read, retry = 3)]
    async fn call(limiter: &RateLimiter, server: &Server, refusals: u32, with: (u16, u64)) -> Outcome<u32> {
        tokio::task::yield_now().await;
        server.answer(refusals, with)
    }

    let start = Instant::now();
    assert_eq!(is_send(call(&limiter(), &Server::default(), 0, REFUSED)).await, Ok(1));
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(call(&limiter(), &Server::default(), 3, REFUSED).await, Ok(4));
    assert!(start.elapsed() >= Duration::from_secs(60), "{:?}", start.elapsed());

    // The number of retries is the limit, and the last refusal is returned.
    let server = Server::default();
    assert_eq!(call(&limiter(), &server, 9, REFUSED).await, Err(Failed::Refused(429, 20_000)));
    assert_eq!(server.attempts.into_inner(), 4);
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_charged() {
    let limiter = limiter();
    #[rate_limited(limiter = limiter, refused = Failed::read, retry = 2)]
    async fn call(limiter: &RateLimiter, server: &Server) -> Outcome<u32> {
        server.answer(2, REFUSED)
    }

    call(&limiter, &Server::default()).await.unwrap();
    let available = limiter.status().unwrap().limits[0].available;
    assert!(available < 1_000 - 2, "{available}");
}

#[tokio::test(start_paused = true)]
async fn other_errors_are_not_retried() {
    #[rate_limited(limiter = limiter, refused = Failed::read, retry = 3)]
    async fn call(limiter: &RateLimiter, server: &Server, status: u16) -> Outcome<u32> {
        server.answer(9, (status, 0))
    }

    for status in [400, 401, 404, 500] {
        let server = Server::default();
        assert_eq!(call(&limiter(), &server, status).await, Err(Failed::Refused(status, 0)));
        assert_eq!(server.attempts.into_inner(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_cannot_be_admitted_in_time_is_refused_by_the_limiter() {
    const SHORT: Duration = Duration::from_secs(1);

    #[rate_limited(limiter = limiter, timeout = SHORT, refused = Failed::read, retry = 3)]
    async fn call(limiter: &RateLimiter, server: &Server) -> Outcome<u32> {
        server.answer(9, REFUSED)
    }

    let server = Server::default();
    assert_eq!(call(&limiter(), &server).await, Err(Failed::NotAdmitted));
    assert_eq!(server.attempts.into_inner(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_gets_the_arguments_as_they_were() {
    #[rate_limited(limiter = limiter, cost = text.len(), refused = Failed::read, retry = 3)]
    async fn owned(
        limiter: &RateLimiter,
        server: Arc<Server>,
        mut text: String,
        (mut number, [first, ..]): (u64, [u8; 3]),
        seen: &mut Vec<String>,
    ) -> Outcome<String> {
        text.push('!');
        number += u64::from(first);
        seen.push(format!("{text}{number}"));
        server.answer(2, REFUSED)?;
        Ok(text)
    }

    let (limiter, mut seen) = (limiter(), Vec::new());
    let text = is_send(owned(&limiter, Arc::default(), "a".to_owned(), (1, [2; 3]), &mut seen));
    assert_eq!(text.await.unwrap(), "a!");
    assert_eq!(seen, ["a!3", "a!3", "a!3"]);
}

#[tokio::test(start_paused = true)]
async fn a_body_may_return_early_and_use_the_question_mark() {
    #[rate_limited(limiter = limiter, refused = Failed::read, retry = 3)]
    async fn call(limiter: &RateLimiter, server: &Server, early: bool) -> Outcome<u32> {
        if early {
            return server.answer(1, REFUSED);
        }
        let attempt = server.answer(1, REFUSED)?;
        Ok(10 * attempt)
    }

    assert_eq!(call(&limiter(), &Server::default(), true).await, Ok(2));
    assert_eq!(call(&limiter(), &Server::default(), false).await, Ok(20));
}

struct Client {
    limiter: RateLimiter,
    server: Server,
    calls: u32,
}

impl Client {
    fn new() -> Self {
        Self { limiter: limiter(), server: Server::default(), calls: 0 }
    }

    #[rate_limited(limiter = self.limiter, refused = Failed::read, retry = 1)]
    async fn shared<'a>(&'a self, name: &'a str) -> Outcome<&'a str> {
        tokio::task::yield_now().await;
        self.server.answer(1, REFUSED).map(|_| name)
    }

    #[rate_limited(limiter = self.limiter, refused = Failed::read, retry = 1)]
    async fn exclusive(&mut self) -> Outcome<u32> {
        tokio::task::yield_now().await;
        self.calls += 1;
        self.server.answer(1, REFUSED)?;
        Ok(self.calls)
    }

    #[rate_limited(limiter = self.limiter, refused = Failed::read, retry = 1)]
    async fn explicit(self: &Arc<Self>) -> Outcome<u32> {
        self.server.answer(1, REFUSED)
    }

    #[rate_limited(limiter = self.limiter, refused = Failed::read, retry = 1)]
    fn boxed<'a>(&'a self, text: String) -> Pin<Box<dyn Future<Output = Outcome<String>> + Send + 'a>> {
        Box::pin(async move {
            self.server.answer(1, REFUSED)?;
            Ok(text)
        })
    }

    #[allow(clippy::manual_async_fn, reason = "it is this shape that is tested")]
    #[rate_limited(limiter = self.limiter, refused = Failed::read, retry = 1)]
    fn opaque(&self, text: String) -> impl Future<Output = Outcome<String>> + Send {
        async move {
            self.server.answer(1, REFUSED)?;
            Ok(text)
        }
    }
}

#[tokio::test(start_paused = true)]
async fn methods_and_functions_that_return_futures_are_made_again() {
    assert_eq!(is_send(Client::new().shared("name")).await, Ok("name"));
    assert_eq!(is_send(Client::new().exclusive()).await, Ok(2));
    assert_eq!(is_send(Arc::new(Client::new()).explicit()).await, Ok(2));
    assert_eq!(Client::new().boxed("text".to_owned()).await, Ok("text".to_owned()));
    assert_eq!(Client::new().opaque("text".to_owned()).await, Ok("text".to_owned()));
}

#[async_trait::async_trait]
trait Chat {
    async fn chat(&self, text: String) -> Outcome<String>;
}

#[async_trait::async_trait]
impl Chat for Client {
    #[rate_limited(limiter = self.limiter, refused = Failed::read, retry = 1)]
    async fn chat(&self, mut text: String) -> Outcome<String> {
        text.push('!');
        self.server.answer(1, REFUSED).map(|_| text)
    }
}

#[tokio::test(start_paused = true)]
async fn methods_under_async_trait_are_made_again() {
    assert_eq!(Client::new().chat("text".to_owned()).await, Ok("text!".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn generic_functions_are_made_again() {
    #[rate_limited(limiter = limiter, refused = Failed::read, retry = 1)]
    async fn call<T: Clone + Into<String>, const N: usize>(
        limiter: &RateLimiter,
        server: &Server,
        text: T,
        _unused: [Option<std::cell::Cell<u8>>; N],
    ) -> Outcome<String> {
        server.answer(1, REFUSED)?;
        Ok(text.into())
    }

    let not_copied = [const { None }; 2];
    assert_eq!(call(&limiter(), &Server::default(), "text", not_copied).await, Ok("text".to_owned()));
}

#[test]
fn blocking_functions_are_made_again() {
    limiter! { static PLAIN: RateLimiter = { requests: 1_000 / day }; }
    // The system's clock.
    const SOON: (u16, u64) = (429, 1);

    #[rate_limited(limiter = PLAIN, refused = Failed::read, retry = most)]
    fn call(server: &Server, text: String, most: u32) -> Outcome<String> {
        server.answer(2, SOON)?;
        Ok(text)
    }

    assert_eq!(call(&Server::default(), "text".to_owned(), 2), Ok("text".to_owned()));
    assert_eq!(call(&Server::default(), "text".to_owned(), 1), Err(Failed::Refused(429, 1)));
    assert_eq!(call(&Server::default(), "text".to_owned(), 0), Err(Failed::Refused(429, 1)));
}
