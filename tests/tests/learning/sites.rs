//! What callers see of what is learned: sites, waiting calls, and costs that stay as they are.

use openlimit::testing::ManualClock;
use openlimit::{
    Acquire, AcquireError, Builder, Charge, ChatRateLimiter, Cost, Dimension, EmbeddingRateLimiter, Input,
    Output, Permit, Rate, Usage, feedback::Observation, kind, limiter, rate_limited,
};
use openlimit_tests::{Call, millis, secs};
use serde_json::{Value, json};

fn builder(clock: &ManualClock) -> Builder<kind::Chat> {
    let tokens = Rate::per_minute(1_000_000).burst(secs(60));
    ChatRateLimiter::builder().clock(clock).tokens(tokens).output(Output::Learned)
}

/// Returns a request with a prompt of 13 tokens and an output of at most 1 000.
fn request() -> Value {
    let messages = json!([{ "role": "user", "content": "Why is the sky blue?" }]);
    json!({ "model": "gpt-4o", "messages": messages, "max_tokens": 1_000 })
}

fn tokens(permit: &Permit) -> u64 {
    permit.cost().amount(&Dimension::Tokens)
}

fn admitted(acquire: Acquire) -> Permit {
    Call::start(acquire).admitted()
}

/// Makes 20 calls that put out `output` tokens.
fn teach(limiter: &ChatRateLimiter, site: &str, output: u64) {
    for _ in 0..20 {
        admitted(limiter.acquire(&request()).site(site)).settle(Usage::new(13, output));
    }
}

#[test]
fn a_site_has_a_name_or_is_the_limiter() {
    let limiter = builder(&ManualClock::new()).build().expect("valid options");
    teach(&limiter, "title", 5);
    teach(&limiter, "summary", 200);
    let reserves = |acquire| tokens(&admitted(acquire));
    assert_eq!(reserves(limiter.acquire(&request()).site("title")), 18);
    assert_eq!(reserves(limiter.acquire(&request()).timeout(secs(1)).site("summary")), 213);
    assert_eq!(reserves(limiter.acquire(&request())), 1_013);
    for _ in 0..20 {
        limiter.try_acquire(&request()).expect("there is room").settle(Usage::new(13, 50));
    }
    assert_eq!(tokens(&limiter.try_acquire(&request()).expect("there is room")), 63);
    assert_eq!(reserves(limiter.acquire(&request())), 63);
}

#[test]
fn the_crowd_is_that_of_the_rate_in_force() {
    let reserves = |declared: u64, states: Option<&str>| {
        let rate = Rate::per_minute(declared).burst(secs(1));
        let clock = ManualClock::new();
        let builder = ChatRateLimiter::builder().clock(&clock).tokens(rate).output(Output::Learned);
        let limiter = builder.adopt_limits(true).build().expect("valid options");
        for call in 0..200 {
            clock.advance(secs(60));
            let permit = limiter.try_acquire(&request()).expect("the bucket is full");
            if let Some(limit) = states {
                let headers = [("x-ratelimit-limit-tokens", limit), ("x-ratelimit-remaining-tokens", limit)];
                permit.observe(&Observation::from_parts(200, headers, b""));
            }
            permit.settle(Usage::new(13, 50 + call % 2 * 100));
        }
        clock.advance(secs(60));
        tokens(&limiter.try_acquire(&request()).expect("there is room"))
    };
    let large = reserves(6_000_000, None);
    assert_eq!(reserves(60_000, Some("6000000")), large);
    assert!(reserves(60_000, None) > large + 10);
    assert_eq!(reserves(6_000_000, Some("1000000")), reserves(1_000_000, None));
}

limiter! {
    static CHAT: ChatRateLimiter = { tokens: 1_000_000 / day, output: Output::Learned };
}

#[test]
fn an_annotated_function_is_a_site() {
    mod short {
        use super::*;

        #[rate_limited(limiter = CHAT, params = params, permit = permit)]
        pub(super) fn call(params: &Value) -> Result<u64, AcquireError> {
            let reserved = tokens(&permit);
            permit.settle(Usage::new(13, 7));
            Ok(reserved)
        }
    }

    #[rate_limited(limiter = CHAT, params = params, permit = permit)]
    fn call(params: &Value) -> Result<u64, AcquireError> {
        let reserved = tokens(&permit);
        permit.settle(Usage::new(13, 70));
        Ok(reserved)
    }

    for _ in 0..20 {
        assert_eq!(short::call(&request()).expect("there is room"), 1_013);
        assert_eq!(call(&request()).expect("there is room"), 1_013);
    }
    assert_eq!(short::call(&request()).expect("there is room"), 20);
    assert_eq!(call(&request()).expect("there is room"), 83);
}

#[test]
fn calls_that_wait_follow_what_is_learned_meanwhile() {
    let clock = ManualClock::new();
    let limiter = ChatRateLimiter::builder().clock(&clock).tokens(Rate::per_second(2_000));
    let limiter = limiter.output(Output::Learned).build().expect("valid options");
    let mut calls: Vec<_> = (0..200).map(|_| Call::start(limiter.acquire(&request()))).collect();
    // By the named maximum, two calls leave in a second. So 20 calls are known after ten seconds.
    for _ in 0..150 {
        clock.advance(millis(100));
        calls.retain_mut(|call| match call.over() {
            Some(permit) => {
                permit.expect("it is admitted").settle(Usage::new(13, 7));
                false
            }
            None => true,
        });
    }
    assert_eq!(calls.len(), 0, "calls still wait");
}

#[test]
fn the_wait_of_a_newcomer_follows_what_is_learned() {
    let clock = ManualClock::new();
    let limiter = ChatRateLimiter::builder().clock(&clock).tokens(Rate::per_second(2_000).burst(secs(20)));
    let limiter = limiter.output(Output::Learned).build().expect("valid options");
    let permits: Vec<_> = (0..20).map(|_| admitted(limiter.acquire(&request()))).collect();
    let _waiting: Vec<_> = (0..200).map(|_| Call::start(limiter.acquire(&request()))).collect();
    let newcomer = || Call::start(limiter.acquire(&request()).timeout(secs(10)));
    let refused = newcomer().refused();
    assert!(matches!(refused, AcquireError::Timeout { .. }), "{refused}");
    permits.into_iter().for_each(|permit| permit.settle(Usage::new(13, 7)));
    let mut newcomer = newcomer();
    assert!(newcomer.over().is_none(), "it does not wait");
    clock.advance(secs(5));
    assert!(newcomer.admitted().waited() < secs(5));
}

#[test]
fn a_cost_that_is_given_outright_stays_as_it_is() {
    let limiter = builder(&ManualClock::new()).build().expect("valid options");
    let reserves = |cost: &Cost| tokens(&admitted(limiter.acquire(cost)));
    let outright = Cost::new().tokens(1_013);
    for _ in 0..40 {
        admitted(limiter.acquire(&outright)).settle(Usage::new(13, 7));
    }
    assert_eq!(reserves(&outright), 1_013);
    assert_eq!(tokens(&admitted(limiter.acquire(&request()))), 1_013, "an outright cost taught something");
    for _ in 0..40 {
        admitted(limiter.acquire(&request())).settle(Usage::new(13, 7));
    }
    assert_eq!(reserves(&outright), 1_013);
    // The price of a request is a cost, too, until it is changed.
    let price = limiter.cost(&request()).expect("a price");
    assert_eq!(reserves(&price), 20);
    assert_eq!(reserves(&price.tokens(500)), 500);
}

#[test]
fn cancelled_and_dropped_calls_teach_nothing() {
    let limiter = builder(&ManualClock::new()).build().expect("valid options");
    for _ in 0..40 {
        admitted(limiter.acquire(&request())).cancel();
        drop(admitted(limiter.acquire(&request())));
    }
    assert_eq!(tokens(&admitted(limiter.acquire(&request()))), 1_013);
}

#[test]
fn old_calls_fade() {
    let clock = ManualClock::new();
    let limiter = builder(&clock).build().expect("valid options");
    let reserves_after = |output| {
        for _ in 0..200 {
            clock.advance(secs(60));
            teach(&limiter, "", output);
        }
        tokens(&admitted(limiter.acquire(&request()).site("")))
    };
    assert_eq!(reserves_after(900), 913);
    let reserved = reserves_after(5);
    assert!(reserved <= 13 + 10, "{reserved}");
    let reserved = reserves_after(900);
    assert!(reserved >= 13 + 890, "{reserved}");
}

#[test]
fn each_limit_gets_its_part() {
    let clock = ManualClock::new();
    let rate = Rate::per_minute(1_000_000).burst(secs(60));
    let limiter = builder(&clock).input_tokens(rate).output_tokens(rate).requests(rate);
    let limiter = limiter.input(Input::Learned).build().expect("valid options");
    let mut choices = request();
    choices["n"] = json!(3);
    for _ in 0..20 {
        // The cache has served most of the prompt.
        admitted(limiter.acquire(&choices)).settle(Usage::new(4, 30));
    }
    let cost = admitted(limiter.acquire(&request())).cost();
    assert_eq!(cost, Cost::new().requests(1).tokens(14).input_tokens(4).output_tokens(10));
}

#[test]
fn a_default_output_is_no_maximum() {
    let limiter = builder(&ManualClock::new()).build().expect("valid options");
    let mut open = request();
    open.as_object_mut().expect("an object").remove("max_tokens");
    assert_eq!(tokens(&admitted(limiter.acquire(&open))), 13 + 16);
    for _ in 0..20 {
        admitted(limiter.acquire(&open)).settle(Usage::new(13, 400));
    }
    assert_eq!(tokens(&admitted(limiter.acquire(&open))), 413);
}

#[test]
fn a_refusal_that_states_its_price_raises_the_count_at_once() {
    let limiter = ChatRateLimiter::builder().clock(&ManualClock::new()).tokens(Rate::per_day(1_000_000));
    let limiter = limiter.build().expect("valid options");
    let body = br#"{"error": {"code": "rate_limit_exceeded", "message": "Rate limit reached on tokens per min (TPM): Limit 9000, Used 8999, Requested 1039. Please try again in 6ms."}}"#;
    _ = admitted(limiter.acquire(&request())).refused(Observation::new(429).body(body));
    limiter.release().expect("it is built");
    assert_eq!(tokens(&admitted(limiter.acquire(&request()))), 1_039);
}

#[test]
fn embeddings_learn_the_prompt_from_the_total() {
    let limiter = EmbeddingRateLimiter::builder().clock(&ManualClock::new()).tokens(Rate::per_day(1_000_000));
    let limiter = limiter.build().expect("valid options");
    let params = json!({ "model": "text-embedding-3-small", "input": "Hello, world!" });
    admitted(limiter.acquire(&params)).settle(8);
    assert_eq!(tokens(&admitted(limiter.acquire(&params))), 8);
}

#[test]
fn a_provider_that_judges_by_the_named_maximum_is_no_place_for_learned_outputs() {
    let clock = ManualClock::new();
    let error = builder(&clock).admission(Charge::OpenAi).build().expect_err("build succeeded");
    assert_eq!(
        error.to_string(),
        "limiter `unnamed` cannot be built: `output: Learned` has no effect: it needs a limit on \
         `output_tokens`, one on `tokens` that takes the sum of prompt and output (`admission: Charge::Sum`), or \
         one on `spend` with prices"
    );
    let both = builder(&clock).admission(Charge::OpenAi).output_tokens(Rate::per_minute(9));
    assert!(both.build().is_ok());
    assert!(
        ChatRateLimiter::builder().requests(Rate::per_minute(9)).output(Output::Learned).build().is_err()
    );
}

#[test]
fn hostile_names_and_reports_are_harmless() {
    let limiter = builder(&ManualClock::new()).build().expect("valid options");
    for number in 0..300 {
        let permit = limiter.acquire(&request()).site(&"x".repeat(number * 100));
        admitted(permit).cancel();
        let permit = admitted(limiter.acquire(&request()).site(&number.to_string()));
        permit.settle(Usage::new(0, 0));
    }
    teach(&limiter, "", 5);
    assert_eq!(tokens(&admitted(limiter.acquire(&request()).site(""))), 18);
}
