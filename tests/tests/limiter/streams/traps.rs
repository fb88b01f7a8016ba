//! The ways in which wrapping a stream goes wrong.

use std::collections::HashSet;
use std::io;

use futures_util::{FutureExt, Stream, StreamExt, stream};
use openlimit::feedback::Observation;
use openlimit::{Usage, WrappedStream};

use super::recorded::{ANTHROPIC, CHAT, CUMULATIVE, RESPONSES, Recorded, all};
use super::{Account, RESERVED};

/// Returns the next item of a stream that never waits.
fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    stream.next().now_or_never().expect("it never waits")
}

/// Splits a stream before and behind the first place where `part` is.
fn split<'a>(bytes: &'a [u8], part: &[u8]) -> [&'a [u8]; 3] {
    let start = bytes.windows(part.len()).position(|window| window == part).expect("it is there");
    let (before, rest) = bytes.split_at(start);
    let (part, after) = rest.split_at(part.len());
    [before, part, after]
}

#[test]
fn a_call_is_settled_when_the_final_usage_is_seen_and_not_at_the_end() {
    for Recorded { name, bytes, taken, settles_at } in all() {
        let account = Account::new();
        let mut wrapped = account.permit().wrap(stream::iter(split(&bytes, settles_at)));
        next(&mut wrapped);
        assert_eq!(account.taken()[1..], RESERVED[1..], "{name}, too early");
        next(&mut wrapped);
        assert_eq!(account.taken(), taken, "{name}");
        // Many clients drop the stream now.
        drop(wrapped);
        assert_eq!(account.taken(), taken, "{name}");
    }
}

#[test]
fn a_stream_that_is_dropped_before_its_usage_keeps_its_reservation() {
    for stream in [CHAT, RESPONSES] {
        let account = Account::new();
        let mut wrapped = account.permit().wrap(stream::iter(stream.split_inclusive("\n\n")));
        assert!(next(&mut wrapped).is_some());
        drop(wrapped);
        assert_eq!(account.taken(), RESERVED);
    }
    let account = Account::new();
    drop(account.permit().wrap(stream::empty::<Vec<u8>>()));
    assert_eq!(account.taken(), RESERVED);
}

#[test]
fn anthropics_input_is_settled_first_and_its_output_later() {
    let account = Account::new();
    let mut wrapped = account.permit().wrap(stream::iter(ANTHROPIC.split_inclusive("\n\n")));
    next(&mut wrapped);
    assert_eq!(account.taken(), [472, 600, 1_000]);
    while next(&mut wrapped).is_some() {}
    assert_eq!(account.taken(), [472, 89, 561]);
}

#[test]
fn output_so_far_is_not_taken_for_all_of_it() {
    let account = Account::new();
    let mut wrapped = account.permit().wrap(stream::iter(CUMULATIVE.split_inclusive("\n\n")));
    next(&mut wrapped);
    next(&mut wrapped);
    assert_eq!(account.taken(), [19, 600, 1_000]);
    drop(wrapped);
    assert_eq!(account.taken(), [19, 600, 1_000]);
}

#[test]
fn the_last_value_of_each_field_wins_and_none_is_added() {
    let account = Account::new();
    let last = concat!(
        r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"#,
        r#""usage":{"input_tokens":480,"output_tokens":700}}"#,
        "\n\n",
    );
    let events = ANTHROPIC.split_inclusive("\n\n").chain([last, last]);
    let wrapped = account.permit().wrap(stream::iter(events));
    wrapped.for_each(async |_| {}).now_or_never().expect("it never waits");
    assert_eq!(account.taken(), [480, 700, 1_180]);
}

#[test]
fn compressed_bytes_pass_unchanged_and_settle_nothing() {
    // The start of a file of gzip, and every byte there is.
    let bytes: Vec<u8> =
        [0x1f, 0x8b, 0x08, 0x00].into_iter().chain((0..=u8::MAX).cycle().take(10_000)).collect();
    let account = Account::new();
    let wrapped = account.permit().wrap(stream::iter(bytes.chunks(100)));
    let passed: Vec<_> = wrapped.collect().now_or_never().expect("it never waits");
    assert_eq!(passed.concat(), bytes);
    assert_eq!(account.taken(), RESERVED);
}

#[test]
fn a_model_cannot_forge_usage_its_end_or_an_error() {
    let forged = [
        r#"\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}"#,
        r#"\n\ndata: [DONE]\n\n"#,
        r#"\"finish_reason\":\"stop\""#,
        r#"{\"error\":{\"type\":\"overloaded_error\"}}"#,
        r#"\\\",\"error\":{\"message\":\"x\"}"#,
    ];
    for text in forged {
        let account = Account::new();
        let events = [
            format!(r#"data: {{"choices":[{{"delta":{{"content":"{text}"}}}}],"usage":null}}"#),
            format!(
                r#"data: {{"type":"content_block_delta","delta":{{"type":"text_delta","text":"{text}"}}}}"#
            ),
            format!(r#"data: {{"type":"response.output_text.delta","delta":"{text}","item_id":"{text}"}}"#),
            format!(r#"data: {{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}]}}}}]}}"#),
        ];
        let wrapped = account.permit().wrap(stream::iter(events));
        wrapped.for_each(async |_| {}).now_or_never().expect("it never waits");
        assert_eq!(account.taken(), RESERVED, "{text}");
        assert!(!account.is_held(), "{text}");
    }
}

#[test]
fn an_event_of_megabytes_is_read() {
    // `response.completed` repeats the whole answer.
    let output = r#"{\"usage\":{ "#.repeat(400_000);
    let event = format!(
        r#"data: {{"type":"response.completed","response":{{"output":[{{"text":"{output}"}}],"status":"completed","usage":{{"input_tokens":37,"output_tokens":11}}}}}}"#
    );
    let account = Account::new();
    let wrapped = account.permit().wrap(stream::iter(event.as_bytes().chunks(16 * 1024)));
    wrapped.for_each(async |_| {}).now_or_never().expect("it never waits");
    assert_eq!(account.taken(), [37, 11, 48]);
}

#[test]
fn usage_is_not_added_to_what_the_headers_say_is_left() {
    // What the provider says is left contains the reservation of this call.
    let left = |amount| Observation::new(200).header("x-ratelimit-remaining-tokens", amount);
    let account = Account::new();
    account.limiter.observe(&left("990000")).expect("it is built");
    let permit = account.permit();
    permit.observe(&left("900000"));
    let [_, _, taken] = account.taken();
    permit.wrap(stream::iter([CHAT])).for_each(async |_| {}).now_or_never().expect("it never waits");
    assert_eq!(account.taken(), [19, 10, taken]);
}

#[test]
fn a_broken_connection_keeps_the_reservation() {
    let account = Account::new();
    let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
    let events = CUMULATIVE.split_inclusive("\n\n").take(2).map(|event| Ok(event.to_owned()));
    let mut wrapped = account.permit().wrap(stream::iter(events.chain([Err(broken())])));
    assert!(next(&mut wrapped).is_some_and(|item| item.is_ok()));
    assert!(next(&mut wrapped).is_some_and(|item| item.is_ok()));
    assert!(next(&mut wrapped).is_some_and(|item| item.is_err()));
    assert!(next(&mut wrapped).is_none());
    assert_eq!(account.taken(), [19, 600, 1_000]);
    drop(wrapped);
    assert_eq!(account.taken(), [19, 600, 1_000]);
}

#[test]
fn a_stream_that_goes_on_after_an_error_is_still_settled() {
    // A client could not parse one event.
    let account = Account::new();
    let events = CHAT.split_inclusive("\n\n").map(Ok);
    let events = stream::iter([Err("unknown event")]).chain(stream::iter(events));
    account.permit().wrap(events).for_each(async |_| {}).now_or_never().expect("it never waits");
    assert_eq!(account.taken(), [19, 10, 29]);
}

#[tokio::test]
async fn a_task_may_read_it_and_stop_at_the_end_of_the_answer() {
    // So do clients that read in a task of their own: they break at `[DONE]`.
    let account = Account::new();
    let events: Vec<_> = CHAT.split_inclusive("\n\n").collect();
    let endless = stream::iter(events);
    let mut wrapped = account.permit().wrap(endless);
    let reader = tokio::spawn(async move {
        while let Some(event) = wrapped.next().await {
            if event.starts_with("data: [DONE]") {
                break;
            }
        }
        wrapped
    });
    let wrapped = reader.await.expect("it ends");
    assert_eq!(account.taken(), [19, 10, 29]);
    drop(wrapped);
    assert_eq!(account.taken(), [19, 10, 29]);
}

#[test]
fn a_wrapper_is_what_its_stream_is() {
    fn is_all<T: Send + Sync + Unpin + 'static>(_: &T) {}
    let account = Account::new();
    let wrapped = account.permit().wrap(stream::iter([CHAT, CHAT]));
    is_all(&wrapped);
    assert_eq!(wrapped.size_hint(), (2, Some(2)));
    let parts: HashSet<_> = wrapped.collect::<HashSet<_>>().now_or_never().expect("it never waits");
    assert_eq!(parts, HashSet::from([CHAT]));
    // It is as small as a stream, a pointer, and a function.
    type Inner = stream::Pending<Vec<u8>>;
    assert!(size_of::<WrappedStream<Inner>>() <= size_of::<Inner>() + 16);
}

#[test]
fn a_stream_may_be_polled_after_its_end() {
    let account = Account::new();
    let mut wrapped = account.permit().wrap(stream::iter([CHAT]).chain(stream::iter([CHAT])));
    while next(&mut wrapped).is_some() {}
    assert!(next(&mut wrapped).is_none());
    assert_eq!(account.taken(), [19, 10, 29]);
}

#[test]
fn a_permit_that_was_settled_so_far_may_still_be_wrapped() {
    let account = Account::new();
    let mut permit = account.permit();
    permit.settle_so_far(Usage::new(450, 900));
    assert_eq!(account.taken(), [450, 900, 1_350]);
    permit.wrap(stream::iter([CHAT])).for_each(async |_| {}).now_or_never().expect("it never waits");
    assert_eq!(account.taken(), [19, 10, 29]);
}
