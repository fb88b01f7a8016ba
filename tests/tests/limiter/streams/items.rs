//! Streams of events that a client has parsed.

use async_openai::error::OpenAIError;
use async_openai::types::chat::CreateChatCompletionStreamResponse;
use async_openai::types::responses::ResponseStreamEvent;
use futures_util::{FutureExt, StreamExt, stream};
use openlimit::Usage;
use openlimit::feedback::UsageReader;
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::recorded::{ANTHROPIC, CHAT, CUMULATIVE, GEMINI, RESPONSES};
use super::{Account, RESERVED};

/// Returns the events of a stream, as a client parses them.
fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

#[test]
fn parsed_events_settle_the_same_as_their_bytes() {
    for (stream, taken) in [
        (CHAT, [19, 10, 29]),
        (CUMULATIVE, [19, 3, 22]),
        (ANTHROPIC, [472, 89, 561]),
        (RESPONSES, [37, 11, 48]),
        (GEMINI, [8, 50, 58]),
    ] {
        let events = events(stream);
        let account = Account::new();
        let wrapped = account.permit().wrap_items(stream::iter(events.clone()));
        let passed: Vec<Value> = wrapped.collect().now_or_never().expect("it never waits");
        assert_eq!(passed, events);
        assert_eq!(account.taken(), taken, "{stream}");
    }
}

#[test]
fn the_events_of_async_openai_are_read() {
    let chunk = |value| serde_json::from_value::<CreateChatCompletionStreamResponse>(value);
    let chunks = events(CHAT).into_iter().map(|value| Ok::<_, OpenAIError>(chunk(value).expect("a chunk")));
    let account = Account::new();
    // As `create_stream` returns it.
    let boxed = stream::iter(chunks).boxed();
    account.permit().wrap_items(boxed).for_each(async |_| {}).now_or_never().expect("it never waits");
    assert_eq!(account.taken(), [19, 10, 29]);

    let event = json!({
        "type": "error", "sequence_number": 3, "code": "rate_limit_exceeded",
        "message": "Rate limit reached. Please try again in 20s.", "param": null,
    });
    let event: ResponseStreamEvent = serde_json::from_value(event).expect("an event");
    let account = Account::new();
    let wrapped = account.permit().wrap_items(stream::iter([Ok::<_, OpenAIError>(event)]));
    wrapped.for_each(async |_| {}).now_or_never().expect("it never waits");
    assert!(account.is_held());
}

#[test]
fn parsed_events_are_final_when_they_say_so() {
    let account = Account::new();
    let mut wrapped = account.permit().wrap_items(stream::iter(events(CUMULATIVE)));
    wrapped.next().now_or_never();
    wrapped.next().now_or_never();
    assert_eq!(account.taken(), [19, 600, 1_000]);
    wrapped.next().now_or_never();
    assert_eq!(account.taken(), [19, 3, 22]);
}

#[test]
fn a_stream_of_errors_keeps_its_reservation() {
    let account = Account::new();
    let errors = [OpenAIError::InvalidArgument("x".to_owned()), OpenAIError::InvalidArgument("y".to_owned())];
    let errors = errors.map(Err::<Value, _>);
    account
        .permit()
        .wrap_items(stream::iter(errors))
        .for_each(async |_| {})
        .now_or_never()
        .expect("it never waits");
    assert_eq!(account.taken(), RESERVED);
}

#[test]
fn a_value_is_read_like_its_bytes() {
    for body in [
        json!({"usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        json!({"usage": {"prompt_tokens": 1.0, "completion_tokens": 2.5, "total_tokens": -3}}),
        json!({"usage": {"prompt_tokens": [1], "nested": {"completion_tokens": 2}}}),
        json!({"usage": [{"prompt_tokens": 1}]}),
        json!({"message": {"usage": {"input_tokens": 5}}, "usage": {"output_tokens": 3}}),
        json!({"content": [{"input": {"usage": {"input_tokens": 1}}}], "usage": {"input_tokens": 2}}),
        json!([{"usageMetadata": {"promptTokenCount": 1}}, {"usageMetadata": {"promptTokenCount": 2}}]),
        json!({"data": [{"embedding": [0.1, 0.2]}], "usage": {"prompt_tokens": 8, "total_tokens": 8}}),
        json!({"prompt_eval_count": 5, "eval_count": 6, "message": {"eval_count": 1}}),
        json!({"text": "\"usage\":{\"prompt_tokens\":1}"}),
        json!(null),
        json!(7),
        json!("usage"),
    ] {
        let bytes = serde_json::to_vec(&body).expect("JSON");
        // JSON tells 1.0 from 1, and a value does not.
        let bytes = String::from_utf8(bytes).expect("text").replace("1.0", "1");
        assert_eq!(Usage::of(&body), Usage::from_json(bytes.as_bytes()), "{body}");
    }
}

#[test]
fn a_value_that_cannot_be_serialized_does_no_harm() {
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("broken"))
        }
    }
    let mut reader = UsageReader::new();
    reader.value(&json!({"usage": {"prompt_tokens": 1, "completion_tokens": 2}}));
    reader.value(&Broken);
    assert_eq!(reader.usage(), Some(Usage::new(1, 2)));
}

const KEYS: [&str; 20] = [
    "usage",
    "usageMetadata",
    "response",
    "message",
    "x_groq",
    "choices",
    "candidates",
    "delta",
    "error",
    "type",
    "status",
    "finish_reason",
    "stop_reason",
    "prompt_tokens",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "eval_count",
    "amazon-bedrock-invocationMetrics",
    "text",
];

const TEXTS: [&str; 8] =
    ["", "stop", "error", "completed", "response.failed", "message_stop", "usage", "Rate limit reached"];

/// Any JSON that is made of the keys and texts that count.
fn json_of_replies() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<u32>().prop_map(Value::from),
        proptest::sample::select(&TEXTS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let entries =
            proptest::collection::btree_map(proptest::sample::select(&KEYS[..]), inner.clone(), 0..6);
        let map = entries
            .prop_map(|entries| entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
        prop_oneof![
            map.prop_map(Value::Object),
            proptest::collection::vec(inner, 0..4).prop_map(Value::Array)
        ]
    })
}

proptest! {
    #[test]
    fn any_event_is_read_like_its_bytes(
        events in proptest::collection::vec(json_of_replies().prop_filter("an object", Value::is_object), 1..4),
    ) {
        let (mut parsed, mut bytes) = (UsageReader::new(), UsageReader::new());
        for event in &events {
            parsed.value(event);
            bytes.feed(format!("data: {event}\n\n").as_bytes());
        }
        prop_assert_eq!(parsed.error().is_some(), bytes.error().is_some());
        // Nothing else of a reply counts once it carries an error.
        if parsed.error().is_none() {
            prop_assert_eq!(parsed.usage(), bytes.usage());
            prop_assert_eq!(parsed.is_final(), bytes.is_final());
        }
    }
}
