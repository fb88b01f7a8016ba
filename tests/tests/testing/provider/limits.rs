//! Tests over HTTP of the calls that the strict provider admits and refuses, and of its replies.
//!
//! The limits are per 31 days with the whole amount as burst, so that nothing refills while a test
//! runs. A request without a maximum is charged 16 tokens more than its prompt.

use std::thread;
use std::time::Duration;

use openlimit::Rate;
use openlimit::testing::Provider;
use serde_json::{Value, json};

use super::client::{Reply, post};

const MONTH: Duration = Duration::from_secs(31 * 86_400);

/// Returns a rate that admits `amount` once, and refills nothing while a test runs.
fn once(amount: u64) -> Rate {
    Rate::new(amount, MONTH).burst(MONTH)
}

fn params() -> Value {
    json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hello, how are you?" }] })
}

fn chat(provider: &Provider) -> Reply {
    post(&format!("{}/chat/completions", provider.url()), &params())
}

/// Returns the tokens that the provider charges for a call with `params`.
fn charge(params: &Value) -> u64 {
    let provider = Provider::builder().start().expect("start failed");
    assert_eq!(post(&format!("{}/chat/completions", provider.url()), params).status, 200);
    provider.arrivals()[0].tokens
}

#[test]
fn calls_are_admitted_until_a_limit_is_used_up() {
    let provider = Provider::builder().requests(once(3)).start().expect("start failed");
    let statuses: Vec<u16> = (0..5).map(|_| chat(&provider).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!((provider.admitted(), provider.refused()), (3, 2));
}

#[test]
fn tokens_are_charged_by_the_prompt_and_the_largest_answer() {
    let one = charge(&params());
    let mut larger = params();
    larger["max_tokens"] = json!(100);
    larger["n"] = json!(3);
    assert!(one > 16 && charge(&larger) == one - 16 + 300);

    // Two calls fit into twice the charge, and a third does not.
    let provider = Provider::builder().tokens(once(2 * one + 1)).start().expect("start failed");
    assert_eq!((0..3).map(|_| chat(&provider).status).collect::<Vec<_>>(), [200, 200, 429]);
}

#[test]
fn a_refusal_has_openai_s_body_and_headers() {
    let one = charge(&params());
    let provider =
        Provider::builder().tokens(once(2 * one - 1)).requests(once(60)).start().expect("start failed");
    assert_eq!(chat(&provider).status, 200);
    let refused = chat(&provider);

    assert_eq!(refused.status, 429);
    let error = &refused.json()["error"];
    assert_eq!((&error["type"], &error["param"]), (&json!("tokens"), &Value::Null));
    assert_eq!(error["code"], "rate_limit_exceeded");
    let message = error["message"].as_str().expect("message is missing");
    let start = format!(
        "Rate limit reached for gpt-4o in organization org-openlimit on tokens per {MONTH:?}: \
         Limit {}, Used {one}, Requested {one}. Please try again in ",
        2 * one - 1
    );
    assert!(message.starts_with(&start), "{message}");

    // The wait is the time for one token, minus the time since the first call. Both hints are
    // the wait rounded up.
    let seconds: u128 = refused.header("retry-after").expect("no hint").parse().expect("not a number");
    let millis: u128 = refused.header("retry-after-ms").expect("no hint").parse().expect("not a number");
    assert_eq!(seconds, millis.div_ceil(1_000));
    assert!(millis <= MONTH.as_millis().div_ceil(u128::from(2 * one - 1)) && millis > 0);
}

#[test]
fn every_reply_says_where_the_limits_stand() {
    let one = charge(&params());
    let day = Rate::per_day(10_000);
    let provider = Provider::builder().tokens(once(10_000)).requests(day).start().expect("start failed");
    let reply = chat(&provider);
    let header = |name: &str| reply.header(&format!("x-ratelimit-{name}")).map(str::to_owned);
    assert_eq!(header("limit-requests").as_deref(), Some("10000"));
    assert_eq!(header("remaining-requests").as_deref(), Some("9999"));
    // One request refills in a day / 10 000.
    assert_eq!(header("reset-requests").as_deref(), Some("8.64s"));
    assert_eq!(header("limit-tokens").as_deref(), Some("10000"));
    assert_eq!(header("remaining-tokens"), Some((10_000 - one).to_string()));
    assert!(header("reset-tokens").is_some_and(|text| text.contains('h') && text.ends_with('s')));

    let unreadable = post(&format!("{}/chat/completions", provider.url()), &json!({}));
    let remaining = unreadable.header("x-ratelimit-remaining-tokens").map(str::to_owned);
    assert_eq!((unreadable.status, remaining), (400, header("remaining-tokens")));
}

#[test]
fn waiting_as_long_as_a_refusal_says_is_enough() {
    let provider =
        Provider::builder().requests(Rate::per_second(20).burst(Duration::from_millis(50))).start();
    let provider = provider.expect("start failed");
    let refused = std::iter::repeat_with(|| chat(&provider)).find(|reply| reply.status == 429);
    let refused = refused.expect("no call was refused");
    let millis = refused.header("retry-after-ms").and_then(|text| text.parse().ok()).expect("no hint");
    thread::sleep(Duration::from_millis(millis));
    assert_eq!(chat(&provider).status, 200);
}

#[test]
fn a_call_above_the_whole_limit_is_too_large_and_takes_nothing() {
    let one = charge(&params());
    let provider = Provider::builder().tokens(once(one)).start().expect("start failed");
    let mut large = params();
    large["max_tokens"] = json!(17);
    let refused = post(&format!("{}/chat/completions", provider.url()), &large);
    assert_eq!(refused.status, 429);
    assert_eq!((refused.header("retry-after"), refused.header("retry-after-ms")), (None, None));
    let body = refused.json();
    assert!(
        body["error"]["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("Request too large for gpt-4o"))
    );
    assert_eq!(chat(&provider).status, 200);
}

#[test]
fn a_call_above_the_burst_is_admitted_into_debt() {
    // The burst is less than one request, and the limit takes an hour to refill.
    let rate = Rate::per_hour(1).burst(Duration::from_secs(1));
    let provider = Provider::builder().requests(rate).start().expect("start failed");
    assert_eq!((chat(&provider).status, chat(&provider).status), (200, 429));
}

#[test]
fn refused_calls_count_where_that_is_asked_for() {
    let one = charge(&params());
    let limits = || Provider::builder().requests(once(10)).tokens(once(one));
    for (provider, left) in [(limits().start(), "9"), (limits().refused_count(true).start(), "7")] {
        let provider = provider.expect("start failed");
        let replies = [(); 3].map(|()| chat(&provider));
        assert_eq!(replies[2].header("x-ratelimit-remaining-requests"), Some(left));
    }
}

#[test]
fn the_charge_is_corrected_to_the_usage_where_that_is_asked_for() {
    let one = charge(&params());
    // The answer uses 12 of the 16 tokens reserved for it.
    let limits = || Provider::builder().tokens(once(2 * one - 4));
    for (provider, second) in [
        (limits().start(), 429),
        (limits().charges_usage(true).start(), 200),
        (limits().charges_usage(true).answer_tokens(17).start(), 429),
    ] {
        let provider = provider.expect("start failed");
        assert_eq!((chat(&provider).status, chat(&provider).status), (200, second));
    }
}

#[test]
fn several_limits_on_one_dimension_all_hold() {
    let provider = Provider::builder().requests(once(5)).requests(once(2)).start().expect("start failed");
    assert_eq!((0..3).map(|_| chat(&provider).status).collect::<Vec<_>>(), [200, 200, 429]);
}

#[test]
fn a_reset_fills_the_buckets_and_empties_the_record() {
    let provider = Provider::builder().requests(once(1)).start().expect("start failed");
    assert_eq!((chat(&provider).status, chat(&provider).status), (200, 429));
    provider.reset();
    assert_eq!(provider.arrivals(), []);
    assert_eq!(chat(&provider).status, 200);
}

#[test]
fn calls_are_recorded_in_the_order_of_their_arrival() {
    let provider = Provider::builder().requests(once(40)).start().expect("start failed");
    thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(|| (0..8).for_each(|_| drop(chat(&provider))))));
    });
    let arrivals = provider.arrivals();
    assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
    let (first, rest) = arrivals.split_at(40);
    assert!(first.iter().all(|arrival| arrival.status == 200));
    assert!(rest.len() == 24 && rest.iter().all(|arrival| arrival.status == 429));
    assert!(arrivals.iter().all(|arrival| &*arrival.path == "/v1/chat/completions"));
}

#[test]
fn limits_that_cannot_be_enforced_are_refused_at_the_start() {
    let error = Provider::builder().requests(Rate::per_minute(0)).start().expect_err("zero accepted");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("0 requests / minute"), "{error}");
}
