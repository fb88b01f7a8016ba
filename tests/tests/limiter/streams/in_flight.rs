//! A call whose permit is in a stream is in flight until the stream ends or is dropped, as the
//! provider counts. It does not matter when its usage is known.

use std::convert::Infallible;
use std::io::{self, Read};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use openlimit::{Cost, Permit, RateLimiter};
use openlimit_tests::Call;

const DATA: &[u8] =
    b"data: {\"choices\": [{\"delta\": {\"content\": \"a\"}, \"finish_reason\": \"stop\"}]}\n\n";
const USAGE: &[u8] =
    b"data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 9, \"completion_tokens\": 2}}\n\n";
const DONE: &[u8] = b"data: [DONE]\n\n";

fn limiter() -> RateLimiter {
    RateLimiter::builder()
        .tokens(openlimit::Rate::per_day(100_000))
        .concurrency(1)
        .build()
        .expect("it is valid")
}

fn permit(limiter: &RateLimiter) -> Permit {
    limiter.try_acquire(Cost::new().tokens(500)).expect("there is room")
}

fn in_flight(limiter: &RateLimiter) -> u32 {
    limiter.status().expect("it is built").in_flight.expect("it is limited").calls
}

fn is_settled(limiter: &RateLimiter) -> bool {
    limiter.status().expect("it is built").limits[0].available > 99_900
}

#[tokio::test]
async fn a_stream_that_is_read_to_its_end() {
    let limiter = limiter();
    let mut reply = permit(&limiter).wrap(stream::iter([DATA, USAGE, DONE]));
    for _ in 0..3 {
        assert!(reply.next().await.is_some());
        assert_eq!(in_flight(&limiter), 1);
    }
    assert!(reply.next().await.is_none());
    // It is not dropped yet.
    assert_eq!(in_flight(&limiter), 0);
    drop(reply);
    assert_eq!(in_flight(&limiter), 0);
}

#[tokio::test]
async fn a_stream_that_is_not_read_to_its_end_until_it_is_dropped() {
    for read in 0..=3 {
        let limiter = limiter();
        let mut reply = permit(&limiter).wrap(stream::iter([DATA, USAGE, DONE]));
        for _ in 0..read {
            assert!(reply.next().await.is_some());
        }
        assert_eq!(is_settled(&limiter), read >= 2, "{read}");
        // Its usage may be known. The provider still counts the call.
        assert_eq!(in_flight(&limiter), 1, "{read}");
        let mut next = Call::start(limiter.acquire(Cost::new()));
        assert!(!next.poll(), "{read}");
        drop(reply);
        assert!(next.poll(), "{read}");
        drop(next);
        assert_eq!(in_flight(&limiter), 0, "{read}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_until_it_is_dropped() {
    let limiter = limiter();
    let frames = [Ok(DATA), Err(io::Error::other("reset"))];
    let mut reply = permit(&limiter).wrap(stream::iter(frames));
    assert!(reply.next().await.is_some_and(|frame| frame.is_ok()));
    assert!(reply.next().await.is_some_and(|frame| frame.is_err()));
    assert_eq!(in_flight(&limiter), 1);
    drop(reply);
    assert_eq!(in_flight(&limiter), 0);
}

#[tokio::test]
async fn a_stream_that_ends_with_a_refusal() {
    let limiter = limiter();
    let error = b"event: error\ndata: {\"type\": \"error\", \"error\": {\"type\": \"overloaded_error\"}}\n\n";
    let mut reply = permit(&limiter).wrap(stream::iter([error]));
    assert!(reply.next().await.is_some());
    // It was refused, so the provider counts it no more.
    assert_eq!(in_flight(&limiter), 0);
    drop(reply);
    assert_eq!(in_flight(&limiter), 0);
}

#[tokio::test]
async fn a_body_of_http() {
    let limiter = limiter();
    let frames = [DATA, USAGE, DONE].map(|data| Ok::<_, Infallible>(Frame::data(Bytes::from_static(data))));
    let mut body = permit(&limiter).wrap_body(StreamBody::new(stream::iter(frames)));
    for _ in 0..3 {
        assert!(body.frame().await.is_some());
        assert_eq!(in_flight(&limiter), 1);
    }
    assert!(body.frame().await.is_none());
    assert_eq!(in_flight(&limiter), 0);

    // Clients do not ask for what follows the end of a body whose length is known.
    let mut known = permit(&limiter).wrap_body(Full::new(DATA));
    assert_eq!(in_flight(&limiter), 1);
    assert!(known.frame().await.is_some() && known.is_end_stream());
    assert_eq!(in_flight(&limiter), 0);

    // Nor for anything of a body that has none.
    let none = permit(&limiter).wrap_body(Empty::<Bytes>::new());
    assert_eq!(in_flight(&limiter), 0);
    drop((known, none));

    drop(permit(&limiter).wrap_body(Full::new(DATA)));
    assert_eq!(in_flight(&limiter), 0);
}

#[test]
fn a_reader() {
    let limiter = limiter();
    let mut reader = permit(&limiter).wrap_read(DATA);
    let mut start = [0; 10];
    reader.read_exact(&mut start).expect("it is long enough");
    assert_eq!(in_flight(&limiter), 1);
    reader.read_to_end(&mut Vec::new()).expect("it cannot fail");
    assert_eq!(in_flight(&limiter), 0);
    drop(reader);
    drop(permit(&limiter).wrap_read(DATA));
    assert_eq!(in_flight(&limiter), 0);
}
