//! A budget that several processes share.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use openlimit::{ChatRateLimiter, Dollars, Unit, Usage};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{Call, eventually, secs};
use serde_json::json;

#[test]
fn a_shared_budget_holds_and_is_settled_in_dollars() {
    let server = RedisServer::start();
    let member = || {
        let builder = ChatRateLimiter::builder().name("chat").spend(Dollars(1) / Unit::day);
        // A cent a token, the prompt included.
        let builder = builder.price(|_, usage| 0.01 * (usage.uncached_input() + usage.output()) as f64);
        builder.redis(server.url()).build().unwrap()
    };
    let (one, other) = (member(), member());
    let request = |output| {
        let messages = [json!({ "role": "user", "content": "Why is the sky blue?" })];
        json!({ "model": "m-1", "messages": messages, "max_completion_tokens": output })
    };
    // 13 tokens of a prompt, and 80 of an answer: 93 cents.
    let permit = one.acquire(&request(80)).blocking().unwrap();
    let error = other.acquire(&request(0)).timeout(secs(1)).blocking().unwrap_err();
    assert_eq!(error.limit().unwrap().to_string(), "$1 / day");
    permit.settle(Usage::new(13, 2));
    one.flush(secs(9)).blocking().unwrap();
    let mut call = Call::start(other.acquire(&request(60)));
    eventually("an admission", || call.poll());
}
