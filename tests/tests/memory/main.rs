//! What hostile responses make the library allocate, counted by the allocator.
//!
//! A program of its own, because the counting allocator is for the whole process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use openlimit::clients::LimitLayer;
use openlimit::feedback::{Observation, UsageReader};
use openlimit::testing::ManualClock;
use openlimit::{Cost, Permit, Rate, RateLimiter, Usage};
use tower::{Layer, ServiceExt, service_fn};

/// The most that a response may make the library hold.
const MOST: u64 = 64 * 1024;

/// A part of a body, of about 1 MB.
const MEGABYTE: usize = 1 << 20;

fn assert_small(what: &str, AllocationInfo { bytes_max, .. }: AllocationInfo) {
    assert!(bytes_max <= MOST, "{what}: {bytes_max} bytes");
}

#[test]
fn the_headers_of_one_response_take_less_than_a_kilobyte() {
    let headers = [
        ("x-ratelimit-limit-requests", "200"),
        ("x-ratelimit-remaining-requests", "199"),
        ("x-ratelimit-reset-requests", "300ms"),
        ("x-ratelimit-limit-tokens", "40000"),
        ("x-ratelimit-remaining-tokens", "39000"),
        ("x-ratelimit-reset-tokens", "1.5s"),
        ("authorization", "Bearer secret"),
    ];
    let info = measure(|| drop(black_box(Observation::new(200).headers_of(&headers))));
    assert!(info.bytes_max < 1_024, "{} bytes", info.bytes_max);
    let nothing = measure(|| drop(black_box(Observation::new(200).headers_of(&headers[6..]))));
    assert_eq!(nothing.count_total, 0, "nothing was found, so nothing is allocated");
}

/// Reads pairs of headers.
trait Headers {
    fn headers_of(self, headers: &[(&str, &str)]) -> Self;
}

impl Headers for Observation {
    fn headers_of(self, headers: &[(&str, &str)]) -> Self {
        headers.iter().fold(self, |observation, (name, value)| observation.header(name, value))
    }
}

#[test]
fn huge_and_countless_headers_are_not_kept() {
    let long = "9".repeat(MEGABYTE);
    let list = (0..100_000).map(|window| format!("{window};w={window}")).collect::<Vec<_>>().join(", ");
    let names = ["retry-after", "date", "x-ratelimit-limit-tokens", "ratelimit", "ratelimit-policy"];
    for value in [&long, &list] {
        for name in names {
            let info = measure(|| drop(black_box(Observation::new(429).header(name, value))));
            assert_small(name, info);
        }
    }
    let names: Vec<_> = (0..100_000).map(|scope| format!("x-ratelimit-s{scope}-limit-tokens")).collect();
    let countless = names.iter().map(|name| (name.as_str(), "5"));
    assert_small("names", measure(|| drop(black_box(Observation::from_parts(429, countless, b"")))));
}

#[test]
fn bodies_of_100_megabytes_are_read_without_a_copy() {
    for (megabytes, part) in [
        (100, r#"{"error": {"message": "Rate limit reached. Please try again in 1s. "#),
        (10, r#"{"error": {"details": [{"quotaId": "RequestsPerMinute", "quotaValue": "7"},"#),
        (10, r#"{"usage": {"prompt_tokens": 1, "#),
        (10, "{["),
        (10, r"\u0000"),
    ] {
        let body = part.repeat(megabytes * MEGABYTE / part.len());
        assert_small(part, measure(|| drop(black_box(Observation::new(429).body(body.as_bytes())))));
        assert_small(part, measure(|| drop(black_box(Usage::from_json(body.as_bytes())))));
    }
}

#[test]
fn a_stream_of_a_single_event_of_100_megabytes_takes_constant_memory() {
    let text = "\\\"usage\\\": {\\\"prompt_tokens\\\": 9} ".repeat(MEGABYTE / 32);
    let error = "{\"error\": {\"message\": \"".to_owned() + &"slow down ".repeat(MEGABYTE / 10);
    let info = measure(|| {
        let mut reader = UsageReader::new();
        reader.feed(b"data: {\"choices\": [{\"delta\": {\"content\": \"");
        (0..100).for_each(|_| reader.feed(text.as_bytes()));
        assert_eq!(reader.usage(), None);
    });
    assert_small("text", info);
    let info = measure(|| {
        let mut reader = UsageReader::new();
        reader.feed(b"data: ");
        (0..100).for_each(|_| reader.feed(error.as_bytes()));
    });
    assert_small("errors", info);
}

/// A body of the same piece, over and over.
struct Pieces {
    piece: &'static [u8],
    left: usize,
}

impl Body for Pieces {
    type Data = &'static [u8];
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
        let more = self.left.checked_sub(1);
        Poll::Ready(more.map(|left| {
            self.left = left;
            Ok(Frame::data(self.piece))
        }))
    }
}

#[test]
fn an_adapter_keeps_little_of_an_error_of_100_megabytes() {
    const KILOBYTES: &[u8] = &[b'9'; 4_096];
    let limiter = RateLimiter::builder().requests(Rate::per_day(20_000)).clock(&ManualClock::new());
    let layer = LimitLayer::new(limiter.build().unwrap());
    for (piece, left) in [(KILOBYTES, 25_000), (b"{", 100_000)] {
        let service = layer.layer(service_fn(move |_: Request<Full<Bytes>>| {
            ready(Response::builder().status(400).body(Pieces { piece, left }))
        }));
        let send = || {
            let request =
                Request::post("http://localhost/v1/chat").header("content-type", "application/json");
            let call = service.clone().oneshot(request.body(Full::from("{}")).unwrap());
            call.now_or_never().expect("a body that is there").unwrap()
        };
        drop(send());
        assert_small("an error", measure(|| drop(send())));
        let (mut body, mut length) = (send().into_body(), 0);
        while let Some(frame) = body.frame().now_or_never().expect("a body that is there") {
            length += frame.unwrap().into_data().unwrap().len();
        }
        assert_eq!(length, piece.len() * left);
    }
}

#[test]
fn ten_thousand_refusals_at_once_take_no_more_memory_than_one() {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder().requests(Rate::per_day(20_000)).clock(&clock).build().unwrap();
    let permits: Vec<Permit> = (0..10_000).map(|_| limiter.try_acquire(Cost::new()).unwrap()).collect();
    let refusal = Observation::new(429)
        .header("retry-after", "18446744073709551615")
        .header("x-ratelimit-remaining-requests", "0");
    let info = measure(|| permits.into_iter().for_each(|permit| _ = permit.refused(&refusal)));
    assert_small("refusals", info);
    let hold = limiter.status().unwrap().hold.unwrap();
    assert!(hold.ends_in <= Duration::from_secs(600), "{:?}", hold.ends_in);
}

#[test]
fn limits_that_alternate_with_every_response_are_not_collected() {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder().requests(Rate::per_minute(200)).clock(&clock).build().unwrap();
    let responses = [1, 200, u64::MAX, 30, 0].map(|limit| {
        let limit = limit.to_string();
        Observation::new(200)
            .header("x-ratelimit-limit-requests", &limit)
            .header("date", "Thu, 01 Jan 1970 00:00:00 GMT")
    });
    limiter.observe(&responses[0]).unwrap();
    let info = measure(|| {
        for response in responses.iter().cycle().take(10_000) {
            limiter.observe(response).unwrap();
        }
    });
    assert_small("limits", info);
}
