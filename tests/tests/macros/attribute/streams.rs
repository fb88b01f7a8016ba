//! Tests of `permit` in functions that return a stream: the permit moves into it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{self, Read};
use std::pin::Pin;

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};
use openlimit::{AcquireError, RateLimiter, rate_limited};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;
use serde_json::{Value, json};

type Outcome<T> = Result<T, AcquireError>;

const REPLY: [&str; 2] = [
    "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12}}\n\n",
];

#[tokio::test]
async fn a_stream_that_the_function_returns_settles_its_call() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, permit = permit)]
    async fn hidden(request: &str) -> Outcome<impl Stream<Item = io::Result<Vec<u8>>> + use<>> {
        assert_eq!(request, "Hi");
        Ok(permit.wrap(stream::iter(REPLY.map(|event| Ok(event.into())))))
    }

    #[rate_limited(limiter = CHAT, cost = 100, permit = permit)]
    async fn boxed() -> Outcome<BoxStream<'static, Result<Value, io::Error>>> {
        let events = [json!({"usage": {"prompt_tokens": 9, "completion_tokens": 12}})];
        Ok(permit.wrap_items(stream::iter(events.map(Ok))).boxed())
    }

    #[rate_limited(limiter = CHAT, cost = 100, permit = permit)]
    fn blocking() -> Outcome<impl Read> {
        Ok(permit.wrap_read(REPLY[1].as_bytes()))
    }

    let mut hidden = hidden("Hi").await.unwrap();
    assert_eq!(taken(&CHAT), (1, 100));
    while Pin::new(&mut hidden).next().await.is_some() {}
    assert_eq!(taken(&CHAT), (1, 21));
    let count = boxed().await.unwrap().count().await;
    assert_eq!((count, taken(&CHAT)), (1, (2, 42)));
    blocking().unwrap().read_to_string(&mut String::new()).unwrap();
    assert_eq!(taken(&CHAT), (3, 63));
    // Dropped before its usage.
    drop(boxed().await.unwrap());
    assert_eq!(taken(&CHAT), (4, 163));
}
