//! Tests of `stream`: the permit moves into the stream that the function returns. And of `permit`,
//! by which the body moves it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::manual_async_fn, reason = "that shape is tested, too")]

use std::borrow::Cow;
use std::future::Future;
use std::io::{self, Read};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::types::chat::{ChatCompletionResponseStream, CreateChatCompletionStreamResponse};
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, LocalBoxStream};
use futures_util::{Stream, StreamExt, stream};
use openlimit::{AcquireError, Limiter, Rate, RateLimiter, rate_limited};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;
use serde::Serialize;
use serde_json::{Value, json};

use super::client::{ClientError, HELD, REFUSED};

type Outcome<T> = Result<T, AcquireError>;

/// A reply that used 21 tokens.
const REPLY: [&[u8]; 2] = [
    b"data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n",
    b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12}}\n\n",
];

/// The same as items.
fn bytes() -> impl Stream<Item = io::Result<Vec<u8>>> + Send + Unpin {
    stream::iter(REPLY.map(|event| Ok(event.to_vec())))
}

/// The same as parsed events.
fn events() -> impl Stream<Item = Result<Value, ClientError>> + Send + Sync + Unpin {
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 12}});
    stream::iter([json!({"choices": [{"finish_reason": "stop"}]}), usage].map(Ok))
}

/// Returns for how long the limiter is on hold.
fn held<K>(limiter: &Limiter<K>) -> Option<Duration> {
    limiter.status().unwrap().hold.map(|hold| hold.ends_in)
}

/// Reads a stream to its end, and returns the number of items.
async fn read(stream: impl Stream) -> usize {
    pin!(stream).count().await
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn the_reservation_stands_until_the_stream_states_its_final_usage() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn call(request: &str) -> Outcome<impl Stream<Item = io::Result<Vec<u8>>> + Send + use<>> {
        assert_eq!(request, "Hi");
        Ok(bytes())
    }

    let mut stream = pin!(is_send(is_send(call("Hi")).await.unwrap()));
    assert_eq!(taken(&CHAT), (1, 100));
    assert_eq!(stream.next().await.unwrap().unwrap(), REPLY[0]);
    assert_eq!(taken(&CHAT), (1, 100));
    assert_eq!(stream.next().await.unwrap().unwrap(), REPLY[1]);
    assert_eq!(taken(&CHAT), (1, 21), "before the end");
    assert!(stream.next().await.is_none());
    assert_eq!(taken(&CHAT), (1, 21));
}

#[tokio::test]
async fn a_stream_that_is_dropped_early_keeps_its_reservation() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn call() -> Outcome<impl Stream<Item = io::Result<Vec<u8>>>> {
        Ok(bytes())
    }

    drop(call().await.unwrap());
    assert_eq!(taken(&CHAT), (1, 100));
    assert_eq!(read(call().await.unwrap().take(1)).await, 1);
    assert_eq!(taken(&CHAT), (2, 200));
}

#[tokio::test]
async fn async_openais_alias_of_a_boxed_stream_keeps_its_type() {
    metered! { static CHAT: RateLimiter; }

    fn chunk(rest: &Value) -> Result<CreateChatCompletionStreamResponse, OpenAIError> {
        let mut chunk = json!({
            "id": "1", "object": "chat.completion.chunk", "created": 0, "model": "gpt-4o", "choices": []
        });
        chunk.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let text = chunk.to_string();
        serde_json::from_str(&text).map_err(|error| OpenAIError::JSONDeserialize(error, text))
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream, feedback)]
    async fn call(last: Value) -> Result<ChatCompletionResponseStream, OpenAIError> {
        let text = json!({"choices": [{"index": 0, "delta": {"content": "usage"}, "finish_reason": "stop"}]});
        Ok(Box::pin(stream::iter([chunk(&text), chunk(&last)])))
    }

    let usage = json!({"usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}});
    assert_eq!(read(is_send(call(usage).await.unwrap())).await, 2);
    assert_eq!(taken(&CHAT), (1, 21));

    // The client cannot parse the event of an error, and returns it inside of its own.
    let error = json!({"choices": null, "error": {"type": "rate_limit_exceeded", "code": null,
        "message": "Rate limit reached for gpt-4o. Please try again in 20s."}});
    let items: Vec<_> = call(error).await.unwrap().collect().await;
    assert!(items[1].is_err());
    assert_eq!(held(&CHAT), HELD);
    CHAT.release().unwrap();
    assert_eq!(taken(&CHAT), (2, 121));
}

#[tokio::test]
async fn every_boxed_stream_keeps_its_type() {
    metered! { static CHAT: RateLimiter; }

    type Item = Result<Value, ClientError>;

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn alias<'a>(_: &'a str) -> Outcome<BoxStream<'a, Item>> {
        Ok(events().boxed())
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn coerced() -> Outcome<Pin<Box<dyn Stream<Item = Item> + Send + Sync>>> {
        Ok(Box::pin(events()))
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn local() -> Outcome<LocalBoxStream<'static, Item>> {
        Ok(events().boxed_local())
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn movable() -> Outcome<Box<dyn Stream<Item = Item> + Send + Unpin>> {
        if false {
            return Ok(Box::new(stream::empty()));
        }
        Ok(Box::new(events()))
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream, on_error = |error| stream::once(async { Err(error.into()) }).boxed())]
    async fn without_result(tokens: u64) -> BoxStream<'static, Item> {
        assert_eq!(tokens, 100);
        events().boxed()
    }

    assert_eq!(read(is_send(alias("Hi").await.unwrap())).await, 2);
    assert_eq!(taken(&CHAT), (1, 21));
    assert_eq!(read(coerced().await.unwrap()).await, 2);
    assert_eq!(taken(&CHAT), (2, 42));
    assert_eq!(read(local().await.unwrap()).await, 2);
    assert_eq!(taken(&CHAT), (3, 63));
    assert_eq!(read(movable().await.unwrap()).await, 2);
    assert_eq!(taken(&CHAT), (4, 84));
    assert_eq!(read(without_result(100).await).await, 2);
    assert_eq!(taken(&CHAT), (5, 105));
}

#[tokio::test]
async fn functions_that_return_futures_move_the_permit_when_it_is_awaited() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    fn hidden() -> impl Future<Output = Outcome<impl Stream<Item = io::Result<Vec<u8>>>>> + Send {
        async { Ok(bytes()) }
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    fn boxed(text: &str) -> BoxFuture<'_, Outcome<BoxStream<'_, Result<Value, ClientError>>>> {
        Box::pin(async move {
            assert_eq!(text, "Hi");
            Ok(events().boxed())
        })
    }

    #[async_trait]
    trait Chat {
        async fn chat(&self, request: Value) -> Outcome<BoxStream<'static, Result<Value, ClientError>>>;
    }

    #[async_trait]
    impl Chat for RateLimiter {
        #[rate_limited(limiter = self, cost = 100, stream)]
        async fn chat(&self, request: Value) -> Outcome<BoxStream<'static, Result<Value, ClientError>>> {
            assert_eq!(request, json!({}));
            Ok(events().boxed())
        }
    }

    let future = hidden();
    assert_eq!(taken(&CHAT), (0, 0));
    assert_eq!(read(future.await.unwrap()).await, 2);
    assert_eq!(taken(&CHAT), (1, 21));
    assert_eq!(read(boxed("Hi").await.unwrap()).await, 2);
    assert_eq!(taken(&CHAT), (2, 42));
    assert_eq!(read(CHAT.chat(json!({})).await.unwrap()).await, 2);
    assert_eq!(taken(&CHAT), (3, 63));
}

#[tokio::test]
async fn methods_and_generic_functions_move_the_permit() {
    metered! { static CHAT: RateLimiter; }

    struct Client(usize);

    impl Client {
        #[rate_limited(limiter = CHAT, cost = 100, stream)]
        async fn borrowed<'a>(
            &'a self,
            name: &'a str,
        ) -> Outcome<impl Stream<Item = io::Result<Vec<u8>>> + 'a> {
            Ok(bytes().take(self.0 + name.len()))
        }
    }

    impl Client {
        #[rate_limited(limiter = CHAT, cost = 100, stream)]
        async fn elided(&self) -> Outcome<impl Stream<Item = Cow<'_, [u8]>>> {
            Ok(stream::iter(REPLY[self.0..].iter().map(|event| Cow::Borrowed(*event))))
        }
    }

    trait Chat {
        fn chat(&self) -> impl Future<Output = Outcome<impl Stream<Item = io::Result<Vec<u8>>>>>;
    }

    impl Chat for Client {
        #[rate_limited(limiter = CHAT, cost = 100, stream)]
        async fn chat(&self) -> Outcome<impl Stream<Item = io::Result<Vec<u8>>>> {
            Ok(bytes())
        }
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn generic<T: Serialize>(events: Vec<T>) -> Outcome<impl Stream<Item = Result<T, ClientError>>> {
        Ok(stream::iter(events).map(Ok))
    }

    let client = Client(1);
    assert_eq!(read(client.borrowed("a").await.unwrap()).await, 2);
    assert_eq!(taken(&CHAT), (1, 21));
    assert_eq!(read(client.elided().await.unwrap()).await, 1);
    assert_eq!(taken(&CHAT), (2, 42));
    assert_eq!(read(client.chat().await.unwrap()).await, 2);
    assert_eq!(taken(&CHAT), (3, 63));
    let events = vec![json!({"usage": {"prompt_tokens": 9, "completion_tokens": 12}})];
    assert_eq!(read(generic(events).await.unwrap()).await, 1);
    assert_eq!(taken(&CHAT), (4, 84));
}

#[test]
fn blocking_functions_return_streams_and_readers() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    fn hidden() -> Outcome<impl Stream<Item = io::Result<Vec<u8>>>> {
        Ok(bytes())
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    fn reader(request: &[u8]) -> Outcome<impl Read + use<>> {
        assert_eq!(request, b"Hi");
        Ok(REPLY[1])
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream, on_error = |_| Box::new(io::empty()))]
    fn boxed_reader() -> Box<dyn Read + Send> {
        Box::new(REPLY[1])
    }

    assert_eq!(futures_util::FutureExt::now_or_never(read(hidden().unwrap())), Some(2));
    assert_eq!(taken(&CHAT), (1, 21));
    assert_eq!(reader(b"Hi").unwrap().read_to_end(&mut Vec::new()).unwrap(), REPLY[1].len());
    assert_eq!(taken(&CHAT), (2, 42));
    assert_eq!(boxed_reader().read_to_end(&mut Vec::new()).unwrap(), REPLY[1].len());
    assert_eq!(taken(&CHAT), (3, 63));
}

#[tokio::test]
async fn items_are_bytes_or_events_with_or_without_results() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn plain_bytes() -> Outcome<impl Stream<Item = bytes::Bytes>> {
        Ok(stream::iter(REPLY.map(bytes::Bytes::from_static)))
    }

    // `Vec<u8>` is bytes, although it is `Serialize`.
    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn owned_bytes() -> Outcome<impl Stream<Item = Vec<u8>>> {
        Ok(stream::iter(REPLY.map(<[u8]>::to_vec)))
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn plain_events() -> Outcome<impl Stream<Item = Value>> {
        Ok(events().map(Result::unwrap))
    }

    // A result is no event, although it is `Serialize`.
    #[rate_limited(limiter = CHAT, cost = 100, stream, feedback)]
    async fn messages_as_errors() -> Outcome<impl Stream<Item = Result<Value, String>>> {
        Ok(stream::iter([Err(REFUSED.to_owned())]).chain(events().map(|event| Ok(event.unwrap()))))
    }

    assert_eq!(read(plain_bytes().await.unwrap()).await, 2);
    assert_eq!(taken(&CHAT), (1, 21));
    assert_eq!(read(owned_bytes().await.unwrap()).await, 2);
    assert_eq!(taken(&CHAT), (2, 42));
    assert_eq!(read(plain_events().await.unwrap()).await, 2);
    assert_eq!(taken(&CHAT), (3, 63));
    assert_eq!(read(messages_as_errors().await.unwrap()).await, 3);
    assert_eq!((taken(&CHAT), held(&CHAT)), ((4, 84), None), "text is no error, and the stream went on");
}

#[tokio::test]
async fn an_error_event_holds_the_limiter_and_keeps_the_reservation() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn call() -> Outcome<impl Stream<Item = Value>> {
        let error = json!({"error": {"code": "rate_limit_exceeded", "message": "Please try again in 20s."}});
        Ok(stream::iter([json!({"choices": []}), error]))
    }

    assert_eq!(read(call().await.unwrap()).await, 2);
    assert_eq!(held(&CHAT), HELD);
    CHAT.release().unwrap();
    assert_eq!(taken(&CHAT), (1, 100));
}

#[tokio::test]
async fn only_feedback_reads_the_errors_of_a_stream() {
    metered! { static CHAT: RateLimiter; }

    fn failing<E>(error: E) -> impl Stream<Item = Result<Value, E>> {
        stream::iter([Err(error)]).chain(events().map(|event| Ok(event.unwrap())))
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn alone() -> Outcome<impl Stream<Item = Result<Value, ClientError>>> {
        Ok(failing(ClientError(REFUSED)))
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream, feedback)]
    async fn feedback(error: &'static str) -> Outcome<impl Stream<Item = Result<Value, ClientError>>> {
        Ok(failing(ClientError(error)))
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream, feedback)]
    async fn anyhow() -> anyhow::Result<impl Stream<Item = anyhow::Result<Value>>> {
        Ok(failing(anyhow::anyhow!(ClientError(REFUSED)).context("in a stream")))
    }

    assert_eq!(read(alone().await.unwrap()).await, 3);
    assert_eq!((taken(&CHAT), held(&CHAT)), ((1, 21), None));
    assert_eq!(read(feedback("unknown event").await.unwrap()).await, 3);
    assert_eq!((taken(&CHAT), held(&CHAT)), ((2, 42), None), "the stream goes on");
    assert_eq!(read(feedback(REFUSED).await.unwrap()).await, 3);
    assert_eq!(held(&CHAT), HELD);
    CHAT.release().unwrap();
    assert_eq!(taken(&CHAT), (3, 142));
    assert_eq!(read(anyhow().await.unwrap()).await, 3);
    assert_eq!(held(&CHAT), HELD);
}

#[tokio::test]
async fn an_error_before_the_stream_is_judged_if_asked_for() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, stream)]
    async fn alone() -> Result<impl Stream<Item = Value>, ClientError> {
        if taken(&CHAT).0 > 0 {
            return Err(ClientError(REFUSED));
        }
        Ok(stream::empty())
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream, feedback)]
    async fn feedback() -> Result<BoxStream<'static, Value>, ClientError> {
        Err(ClientError(REFUSED))
    }

    #[rate_limited(limiter = CHAT, cost = 100, stream, refused = |status| (*status, [("retry-after", "20")], ""),
        on_error = |_| Err(0))]
    async fn refused() -> Result<BoxStream<'static, Value>, u16> {
        Err(429)
    }

    assert!(alone().await.is_err());
    assert_eq!((taken(&CHAT), held(&CHAT)), ((1, 100), None));
    assert!(feedback().await.is_err());
    assert_eq!(held(&CHAT), HELD);
    CHAT.release().unwrap();
    assert!(refused().await.is_err());
    assert_eq!(held(&CHAT), HELD);
    CHAT.release().unwrap();
    assert_eq!(taken(&CHAT), (3, 300), "the charges stay");
}

#[tokio::test(start_paused = true)]
async fn retry_makes_a_call_again_that_was_refused_before_its_stream_began() {
    #[rate_limited(limiter = limiter, cost = 100, stream, feedback, retry = 3)]
    async fn hidden(
        limiter: &RateLimiter,
        attempts: &AtomicU32,
        request: Vec<u8>,
    ) -> Result<impl Stream<Item = Vec<u8>> + use<>, ClientError> {
        match attempts.fetch_add(1, Relaxed) {
            0 | 1 => Err(ClientError(REFUSED)),
            _ => Ok(stream::iter([request])),
        }
    }

    #[rate_limited(limiter = limiter, cost = 100, stream, feedback, retry = 3)]
    fn boxed(limiter: &RateLimiter) -> BoxFuture<'_, Result<BoxStream<'static, Value>, ClientError>> {
        Box::pin(async move {
            let error = ClientError("connection refused");
            Err(error)
        })
    }

    let day = RateLimiter::builder().requests(Rate::per_day(1_000)).tokens(Rate::per_day(1_000));
    let limiter = day.build().unwrap();
    let (attempts, start) = (AtomicU32::new(0), tokio::time::Instant::now());
    let stream = is_send(hidden(&limiter, &attempts, REPLY[1].to_vec())).await.unwrap();
    assert_eq!(attempts.load(Relaxed), 3);
    assert!(start.elapsed() >= Duration::from_secs(40), "{:?}", start.elapsed());
    let available = || limiter.status().unwrap().limits[1].available;
    let before = available();
    assert!((690..=701).contains(&before), "each attempt is charged: {before}");
    assert_eq!(read(stream).await, 1);
    assert_eq!(available(), before + 79);
    assert_eq!(boxed(&limiter).await.err().unwrap().0, "connection refused");
}

#[tokio::test]
async fn a_stream_settles_its_call_on_each_of_several_limiters() {
    metered! { static OURS: RateLimiter; static THEIRS: RateLimiter; }

    #[rate_limited(limiter = OURS, cost = 100, stream)]
    #[rate_limited(limiter = THEIRS, cost = 200, stream)]
    async fn call() -> Outcome<impl Stream<Item = io::Result<Vec<u8>>>> {
        Ok(bytes())
    }

    let stream = call().await.unwrap();
    assert_eq!((taken(&OURS), taken(&THEIRS)), ((1, 100), (1, 200)));
    read(stream).await;
    assert_eq!((taken(&OURS), taken(&THEIRS)), ((1, 21), (1, 21)));
}

#[tokio::test]
async fn a_call_that_is_not_admitted_returns_no_stream() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 90_000, stream)]
    async fn hidden() -> Outcome<impl Stream<Item = Value>> {
        Ok(stream::empty())
    }

    #[rate_limited(limiter = CHAT, cost = 90_000, stream, on_error = |error| stream::iter([json!(error.to_string())]).boxed())]
    async fn boxed() -> BoxStream<'static, Value> {
        stream::empty().boxed()
    }

    assert!(matches!(hidden().await.err(), Some(AcquireError::TooLarge { .. })));
    assert_eq!(read(boxed().await).await, 1);
    assert_eq!(taken(&CHAT), (0, 0));
}

#[tokio::test]
async fn the_body_can_move_its_permit_into_a_stream() {
    metered! { static CHAT: RateLimiter; }

    /// Returns the text, which does not state usage.
    #[rate_limited(limiter = CHAT, cost = 100, permit = permit)]
    async fn text() -> Outcome<impl Stream<Item = String>> {
        Ok(permit.wrap_items(events()).map(|event| event.unwrap()["choices"].to_string()))
    }

    #[rate_limited(limiter = CHAT, cost = 100, permit = permit)]
    fn reader() -> Outcome<impl Read> {
        Ok(permit.wrap_read(REPLY[1]))
    }

    assert_eq!(read(text().await.unwrap()).await, 2);
    assert_eq!(taken(&CHAT), (1, 21));
    reader().unwrap().read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(taken(&CHAT), (2, 42));
}
