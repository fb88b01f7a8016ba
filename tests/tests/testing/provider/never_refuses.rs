//! Tests over HTTP that a strict provider with the declared limits and bursts refuses no call.
//!
//! The limiter keeps back more of the burst for jitter than usual: as much as the calls of all
//! callers together. Even if the machine stalls in between, the calls do not arrive too close
//! together. The rate is still the declared one.

use std::thread;
use std::time::Instant;

use openlimit::testing::Provider;
use openlimit::{ChatRateLimiter, Rate, limiter, rate_limited};
use openlimit_tests::{millis, secs};
use serde_json::{Value, json};
use ureq::Agent;

const REQUESTS: Rate = Rate::per_minute(9_000);
const TOKENS: Rate = Rate::per_minute(360_000);
const CALLERS: usize = 8;
/// The number of small calls, which come first. The limit on requests delays them, and the limit on
/// tokens delays the rest.
const SMALL: usize = 250;
const CALLS: usize = 350;

limiter! {
    static CHAT: ChatRateLimiter = { requests: REQUESTS, tokens: TOKENS, jitter: millis(300) };
}

#[rate_limited(limiter = CHAT, params = params)]
fn chat(agent: &Agent, url: &str, params: &Value) -> anyhow::Result<u16> {
    let request = agent.post(url).header("content-type", "application/json");
    Ok(request.send(params.to_string())?.status().as_u16())
}

fn params(number: usize) -> Value {
    let content = format!("How are you, {}?", "you ".repeat(number % 7));
    let most = if number < SMALL { 1 } else { 100 + number % 13 };
    json!({
        "model": "gpt-4o",
        "messages": [{ "role": "user", "content": content }],
        "max_completion_tokens": most,
    })
}

#[test]
fn a_provider_with_the_declared_limits_refuses_nothing() {
    let provider = Provider::builder().requests(REQUESTS).tokens(TOKENS).start().expect("start failed");
    let url = format!("{}/chat/completions", provider.url());
    let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
    let start = Instant::now();
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (agent, url) = (&agent, &url);
            scope.spawn(move || {
                for number in (caller..CALLS).step_by(CALLERS) {
                    assert_eq!(chat(agent, url, &params(number)).expect("no reply"), 200);
                }
            });
        }
    });
    assert_eq!((provider.admitted(), provider.refused()), (CALLS, 0));
    // There are 350 calls at 150 a second, and one second's worth may go at once.
    let took = start.elapsed();
    assert!(took > millis(1_300), "the calls were not delayed: {took:?}");
    assert!(took < secs(60), "the calls were delayed for too long: {took:?}");
}
