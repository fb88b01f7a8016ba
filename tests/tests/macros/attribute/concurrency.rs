//! A limiter that bounds its concurrency: the call of an annotated function is in flight to the end
//! of its body, or of the stream that it returns.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use openlimit::{AcquireError, Concurrency, RateLimiter, limiter, rate_limited};

use super::client::{ClientError, REFUSED};

fn in_flight(limiter: &RateLimiter) -> u32 {
    limiter.status().unwrap().in_flight.unwrap().calls
}

#[test]
fn a_call_is_in_flight_while_its_body_runs() {
    limiter! { static ONE: RateLimiter = { concurrency: 1 }; }

    #[rate_limited(limiter = ONE)]
    fn call(fails: bool, panics: bool) -> Result<u32, AcquireError> {
        assert!(!panics, "it was told to");
        let calls = in_flight(&ONE);
        if fails { Err(ONE.try_acquire(openlimit::Cost::new()).unwrap_err()) } else { Ok(calls) }
    }

    for _ in 0..3 {
        assert_eq!(call(false, false).unwrap(), 1);
        assert!(matches!(call(true, false), Err(AcquireError::TooManyInFlight { .. })));
        assert!(catch_unwind(AssertUnwindSafe(|| call(false, true))).is_err());
        assert_eq!(in_flight(&ONE), 0);
    }
}

#[tokio::test]
async fn a_future_that_is_dropped_is_not_in_flight() {
    limiter! { static ONE: RateLimiter = { concurrency: Concurrency::Adaptive(1..=1) }; }

    #[rate_limited(limiter = ONE)]
    async fn call(ends: bool) -> Result<(), AcquireError> {
        if !ends {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    for _ in 0..3 {
        let (first, second) = (call(false), call(false));
        let both = async { tokio::join!(first, second) };
        assert!(tokio::time::timeout(Duration::from_millis(5), both).await.is_err());
        assert_eq!(in_flight(&ONE), 0);
        call(true).await.unwrap();
    }
}

#[tokio::test]
async fn with_stream_it_is_in_flight_until_the_stream_is_dropped() {
    limiter! { static ONE: RateLimiter = { concurrency: 1 }; }

    #[rate_limited(limiter = ONE, stream)]
    async fn call() -> Result<impl Stream<Item = Vec<u8>> + Unpin + use<>, AcquireError> {
        Ok(stream::iter([b"data: {}\n\n".to_vec(), b"data: [DONE]\n\n".to_vec()]))
    }

    let mut reply = call().await.unwrap();
    assert!(reply.next().await.is_some());
    assert_eq!(in_flight(&ONE), 1);
    drop(reply);
    assert_eq!(in_flight(&ONE), 0);
}

#[test]
fn an_attempt_that_is_refused_is_not_in_flight_while_it_waits_for_the_next() {
    limiter! { static ONE: RateLimiter = { concurrency: 1, max_hold: Duration::ZERO }; }

    #[rate_limited(limiter = ONE, feedback, retry = 2)]
    fn call(attempts: &Cell<u32>) -> Result<(), ClientError> {
        attempts.set(attempts.get() + 1);
        assert_eq!(in_flight(&ONE), 1);
        if attempts.get() < 3 { Err(ClientError(REFUSED)) } else { Ok(()) }
    }

    let attempts = Cell::new(0);
    call(&attempts).unwrap();
    assert_eq!((attempts.get(), in_flight(&ONE)), (3, 0));
}
