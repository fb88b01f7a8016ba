//! Tests of `#[rate_limited]` with a tuple of limiters.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use openlimit::{AcquireError, ChatRateLimiter, Limiter, Priority, RateLimiter, Stack, rate_limited};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;
use serde_json::{Value, json};

use super::client::{ClientError, HELD, REFUSED};

type Outcome<T> = Result<T, AcquireError>;

fn is_held<K>(limiter: &Limiter<K>) -> bool {
    limiter.status().unwrap().hold.map(|hold| hold.ends_in) == HELD
}

#[tokio::test]
async fn all_limiters_of_a_tuple_are_charged() {
    metered! { static TENANT: RateLimiter; static TEAM: RateLimiter; static ACCOUNT: RateLimiter; }

    #[rate_limited(limiter = (TENANT, &TEAM, Box::new(ACCOUNT.clone())), cost = 7)]
    async fn call() -> Outcome<()> {
        Ok(())
    }

    call().await.unwrap();
    assert_eq!([taken(&TENANT), taken(&TEAM), taken(&ACCOUNT)], [(1, 7); 3]);
}

#[test]
fn a_call_that_one_limiter_refuses_is_charged_in_none() {
    metered! { static TENANT: RateLimiter; static ACCOUNT: RateLimiter; }

    #[rate_limited(
        limiter = (TENANT, ACCOUNT),
        cost = 7,
        timeout = Duration::from_secs(1),
        priority = Priority::High
    )]
    fn call() -> Outcome<()> {
        panic!("it must not run")
    }

    drop(ACCOUNT.try_acquire(86_400_u64).unwrap());
    let refusal = call().unwrap_err();
    assert!(matches!(refusal, AcquireError::Timeout { .. }), "{refusal}");
    assert_eq!(taken(&TENANT), (0, 0));
    assert!(refusal.limiter().ends_with("::ACCOUNT"), "{refusal}");
}

#[tokio::test]
async fn each_limiter_prices_the_request_in_its_way() {
    metered! { static TENANT: RateLimiter; static CHAT: ChatRateLimiter; static GPT: ChatRateLimiter; }

    #[rate_limited(limiter = (CHAT, GPT), params = request)]
    async fn chat(request: &Value) -> Outcome<()> {
        let _ = request;
        Ok(())
    }

    #[rate_limited(limiter = (TENANT, CHAT), cost = 900)]
    async fn outright() -> Outcome<()> {
        Ok(())
    }

    #[rate_limited(limiter = (TENANT, GPT.clone()), cost = openlimit::Cost::new())]
    async fn one_request() -> Outcome<()> {
        Ok(())
    }

    let request =
        json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10});
    chat(&request).await.unwrap();
    assert_eq!(taken(&CHAT), taken(&GPT));
    assert!(taken(&CHAT).1 > 10);
    outright().await.unwrap();
    one_request().await.unwrap();
    assert_eq!((taken(&TENANT), taken(&GPT).0), ((2, 900), 2));
}

#[tokio::test]
async fn usage_and_refusals_reach_all_limiters() {
    metered! { static TENANT: RateLimiter; static ACCOUNT: RateLimiter; }

    #[rate_limited(limiter = (TENANT, ACCOUNT), cost = 100, usage = |used| *used)]
    async fn call(used: u64) -> Outcome<u64> {
        Ok(used)
    }

    call(30).await.unwrap();
    assert_eq!([taken(&TENANT), taken(&ACCOUNT)], [(1, 30); 2]);

    #[rate_limited(limiter = (TENANT, ACCOUNT), cost = 100, feedback, retry = 2, timeout = Duration::from_secs(1))]
    async fn refused(calls: &AtomicU32) -> Result<Value, ClientError> {
        calls.fetch_add(1, Relaxed);
        Err(ClientError(REFUSED))
    }

    let calls = AtomicU32::new(0);
    refused(&calls).await.unwrap_err();
    // The clock stands still, so the second attempt is known to wait for too long.
    assert_eq!(calls.into_inner(), 1);
    assert!(is_held(&TENANT) && is_held(&ACCOUNT));
}

#[tokio::test]
async fn a_stream_settles_all_limiters() {
    metered! { static TENANT: RateLimiter; static ACCOUNT: RateLimiter; }

    #[rate_limited(limiter = (TENANT, ACCOUNT), cost = 100, stream)]
    async fn call() -> Outcome<impl Stream<Item = io::Result<Vec<u8>>> + Send + use<>> {
        let reply: [&[u8]; 2] = [
            b"data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n",
            b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12}}\n\n",
        ];
        Ok(stream::iter(reply.map(|event| Ok(event.to_vec()))))
    }

    let reply = call().await.unwrap();
    assert_eq!([taken(&TENANT), taken(&ACCOUNT)], [(1, 100); 2]);
    assert_eq!(reply.count().await, 2);
    assert_eq!([taken(&TENANT), taken(&ACCOUNT)], [(1, 21); 2]);
}

#[tokio::test]
async fn the_body_may_cancel_in_all_limiters() {
    metered! { static TENANT: RateLimiter; static ACCOUNT: RateLimiter; }

    #[rate_limited(limiter = (TENANT, ACCOUNT), cost = 100, permit = permit)]
    async fn call() -> Outcome<()> {
        permit.cancel();
        Ok(())
    }

    call().await.unwrap();
    assert_eq!([taken(&TENANT), taken(&ACCOUNT)], [(0, 0); 2]);
    drop(Stack::of((&TENANT, &ACCOUNT)).try_acquire(1).unwrap());
}

#[tokio::test]
async fn a_limiter_of_a_key_can_be_part_of_a_tuple() {
    metered! { static ACCOUNT: RateLimiter; }
    openlimit::limiter! {
        static TENANTS: openlimit::Keyed<String, RateLimiter> = {
            tokens: 100 / day,
            clock: &openlimit::testing::ManualClock::new(),
        };
    }

    #[rate_limited(limiter = (TENANTS.of(tenant), ACCOUNT), cost = 60, timeout = Duration::ZERO)]
    async fn call(tenant: &str) -> Outcome<()> {
        Ok(())
    }

    call("anna").await.unwrap();
    call("anna").await.unwrap_err();
    call("ben").await.unwrap();
    assert_eq!(taken(&ACCOUNT), (2, 120));
}
