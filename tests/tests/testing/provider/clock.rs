//! The provider without a network: on a manual clock, on tokio's, and on the system's.

use std::io;
use std::time::Duration;

use openlimit::Rate;
use openlimit::testing::{ManualClock, Provider};
use openlimit_tests::{millis, nanos, secs};

use super::ask::{ask, chat, json_of, number, on_clock, params, statuses};

#[test]
fn a_strict_bucket_admits_exactly_what_has_refilled() {
    let (provider, clock) = on_clock(Provider::builder().requests(Rate::per_minute(60).burst(secs(2))));
    assert_eq!(statuses(&provider, 3), [200, 200, 429]);
    clock.advance(secs(1) - nanos(1));
    assert_eq!(statuses(&provider, 1), [429]);
    clock.advance(nanos(1));
    assert_eq!(statuses(&provider, 2), [200, 429]);
    clock.advance(secs(60));
    assert_eq!(statuses(&provider, 3), [200, 200, 429]);
}

#[test]
fn headers_follow_the_clock() {
    let (provider, clock) = on_clock(Provider::builder().requests(Rate::per_minute(600).burst(secs(60))));
    let header = |name: &str| chat(&provider).header(&format!("x-ratelimit-{name}")).map(str::to_owned);
    assert_eq!(header("remaining-requests").as_deref(), Some("599"));
    assert_eq!(header("reset-requests").as_deref(), Some("200ms"));
    clock.advance(millis(50));
    assert_eq!(header("reset-requests").as_deref(), Some("250ms"));
    assert_eq!(header("remaining-requests").as_deref(), Some("596"));
    assert_eq!(header("limit-requests").as_deref(), Some("600"));
    clock.advance(secs(3_600));
    assert_eq!(header("remaining-requests").as_deref(), Some("599"));
}

#[test]
fn a_refusal_states_the_wait_to_the_millisecond() {
    let (provider, clock) = on_clock(Provider::builder().requests(Rate::per_minute(7)));
    assert_eq!(chat(&provider).status(), 200);
    clock.advance(secs(1));
    let refused = chat(&provider);
    // A seventh of a minute is 8.571428571 s.
    assert_eq!(
        (number(&refused, "retry-after-ms"), number(&refused, "retry-after"), refused.head_after()),
        (7_572, 8, Duration::ZERO)
    );
    clock.advance(millis(7_572));
    assert_eq!(chat(&provider).status(), 200);
}

#[test]
fn arrivals_have_the_times_of_the_clock() {
    let (provider, clock) = on_clock(Provider::builder());
    for _ in 0..3 {
        chat(&provider);
        clock.advance(millis(1_500));
    }
    let arrivals = provider.arrivals();
    let apart: Vec<_> = arrivals.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert_eq!(apart, [millis(1_500), millis(1_500)]);
    assert_eq!((provider.admitted(), provider.refused()), (3, 0));
    provider.reset();
    assert_eq!(provider.arrivals(), []);
}

#[test]
fn an_answer_says_when_its_head_and_its_body_come() {
    let mut calls = 0;
    let latency = move || {
        calls += 1;
        millis(100 * calls)
    };
    let (provider, _clock) = on_clock(Provider::builder().latency_with(latency).body_latency(secs(2)));
    for head in [100, 200] {
        let reply = chat(&provider);
        assert_eq!((reply.head_after(), reply.body_after()), (millis(head), millis(head + 2_000)));
    }
}

#[test]
fn a_charge_is_corrected_when_the_body_has_come() {
    let builder = Provider::builder().tokens(Rate::per_day(10_000)).charges_usage(true);
    let (provider, clock) = on_clock(builder.latency(secs(1)).body_latency(secs(1)));
    let reply = chat(&provider);
    let left = number(&reply, "x-ratelimit-remaining-tokens");
    let prompt = json_of(&reply)["usage"]["prompt_tokens"].as_u64().expect("it states the usage");
    assert_eq!(left, 10_000 - prompt - 16);
    let left = || number(&ask(&provider, "/v1/chat/completions", &params()), "x-ratelimit-remaining-tokens");
    clock.advance(millis(1_999));
    let before = left();
    clock.advance(millis(1));
    // The answer uses 12 of the 16 tokens reserved for it, and this call reserves as much again.
    assert_eq!(left(), before + 4 - prompt - 16);
}

#[test]
fn dates_begin_with_the_year_and_follow_the_clock_and_the_skew() {
    for (skew, expected) in [
        (0, "Thu, 01 Jan 2026 00:01:30 GMT"),
        (3_600, "Thu, 01 Jan 2026 01:01:30 GMT"),
        (-90, "Thu, 01 Jan 2026 00:00:00 GMT"),
        (i64::MAX, "Fri, 01 Jan 9999 00:00:00 GMT"),
        (i64::MIN, "Thu, 01 Jan 1970 00:01:30 GMT"),
    ] {
        let (provider, clock) = on_clock(Provider::builder().date_skew(skew).latency(secs(30)));
        clock.advance(secs(60));
        let reply = chat(&provider);
        assert_eq!(reply.header("date"), Some(expected), "a skew of {skew} s");
        assert!(json_of(&reply)["created"].as_u64().is_some_and(|created| created > 0));
    }
}

#[test]
fn a_limit_can_be_changed_at_any_time() {
    let minute = secs(60);
    let builder =
        Provider::builder().requests(Rate::per_minute(100).burst(minute)).requests(Rate::per_day(1_000));
    let (provider, clock) = on_clock(builder);
    let left = || number(&chat(&provider), "x-ratelimit-remaining-requests");
    assert_eq!(left(), 99);
    provider.set_limit("requests", Rate::per_minute(40).burst(minute)).expect("there is one");
    assert_eq!(left(), 38);
    clock.advance(minute);
    provider.set_limit("requests", Rate::per_minute(100).burst(minute)).expect("there is one");
    assert_eq!(left(), 99);
    // The one per day is another one.
    provider.set_limit("requests", Rate::per_day(10)).expect("there is one");
    assert_eq!(left(), 6);

    let error = provider.set_limit("requests", Rate::per_hour(10)).expect_err("there is none per hour");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let error = provider.set_limit("tokens", Rate::per_day(10)).expect_err("there is none on tokens");
    assert!(error.to_string().contains("no limit on tokens"), "{error}");
    let error = provider.set_limit("requests", Rate::per_day(0)).expect_err("it refuses everything");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(left(), 5);
}

#[test]
fn paths_keys_and_bodies_are_checked_as_on_a_network() {
    let (provider, _clock) = on_clock(Provider::builder().api_key("sk-right"));
    let body = params().to_string();
    let status = |path: &str, headers: &[(&'static str, &'static str)]| {
        provider.answer(path, headers.iter().copied(), body.as_bytes()).status()
    };
    let chat = "/v1/chat/completions";
    assert_eq!(status(chat, &[]), 401);
    assert_eq!(status(chat, &[("Authorization", "Bearer sk-wrong")]), 401);
    assert_eq!(status(chat, &[("Authorization", "sk-right")]), 401);
    for header in [("Authorization", "Bearer sk-right"), ("API-Key", "sk-right"), ("x-api-key", "sk-right")] {
        assert_eq!(status(chat, &[header]), 200);
    }
    let key = [("authorization", "Bearer sk-right")];
    assert_eq!(status("/v1/models", &key), 200);
    assert_eq!(status("/v1/chats", &key), 404);
    assert_eq!(status("/openai/deployments/gpt-4o/chat/completions", &key), 200);
    assert_eq!(provider.answer(chat, key, b"{").status(), 400);
    assert_eq!(provider.answer(chat, key, &vec![b' '; (16 << 20) + 1]).status(), 413);
    let wrong = provider.answer(chat, [("authorization", "Bearer sk-secret")], b"{}");
    assert!(!String::from_utf8_lossy(wrong.body()).contains("sk-secret"));
    assert!(!format!("{provider:?} {wrong:?}").contains("sk-"));
}

#[test]
fn a_network_has_no_manual_clock() {
    let error = Provider::builder().clock(&ManualClock::new()).start().expect_err("it has no such clock");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("`build` it"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn inside_a_runtime_whose_time_is_paused_it_runs_on_that_time() {
    let provider = Provider::builder().requests(Rate::per_hour(1)).build().expect("the limit is valid");
    assert_eq!(statuses(&provider, 2), [200, 429]);
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(statuses(&provider, 2), [200, 429]);
}

#[test]
fn anywhere_else_it_runs_on_the_systems_time() {
    let provider = Provider::builder().requests(Rate::per_hour(1)).build().expect("the limit is valid");
    assert_eq!(statuses(&provider, 2), [200, 429]);
    let date = chat(&provider).header("date").map(str::to_owned);
    assert!(date.is_some_and(|date| !date.contains(" 1970 ")));
}
