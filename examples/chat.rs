//! Limits an `async fn`, gives back the tokens that a reply did not use, and sends refused calls
//! again.
//!
//!     cargo run --example chat

use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use openlimit::testing::Provider;
use openlimit::{ChatRateLimiter, Rate, limiter, rate_limited};
use openlimit_examples::Api;
use serde::Serialize;
use serde_json::Value;

limiter! {
    /// The limits of our account for gpt-4o.
    static CHAT: ChatRateLimiter = {
        requests: 600 / minute,
        tokens: 40_000 / minute,
    };
}

/// Waits for its turn, then sends the request. By `feedback`, the usage in the reply gives back
/// what was reserved and not used, and a refusal holds all calls. By `retry`, this one then waits
/// again.
#[rate_limited(limiter = CHAT, params = params, feedback, retry = 3)]
async fn ask(api: &Api, params: &ChatParams) -> anyhow::Result<Value> {
    Ok(api.chat(params).await?.error_for_status()?.json().await?)
}

/// Any type that serializes to a request works: your own, one of `async-openai`, a
/// `serde_json::Value`.
#[derive(Serialize)]
struct ChatParams {
    model: &'static str,
    messages: Vec<Message>,
    max_completion_tokens: u32,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Stands in for OpenAI. It refuses every call above the same limits.
    let provider = Provider::builder()
        .requests(Rate::per_minute(600))
        .tokens(Rate::per_minute(40_000))
        .charges_usage(true)
        .latency(Duration::from_millis(200))
        .start()?;
    let api = Api::new(provider.url(), "no key".to_owned())?;

    let start = Instant::now();
    let questions = (1..=40).map(|number| ChatParams {
        model: "gpt-4o",
        messages: vec![Message { role: "user", content: format!("What is so special about {number}?") }],
        max_completion_tokens: 32,
    });
    // Starts all calls at once. The limiter spaces them out.
    let calls = questions.map(|params| {
        let api = &api;
        async move { ask(api, &params).await }
    });
    let replies: Vec<Value> = stream::iter(calls).buffer_unordered(usize::MAX).try_collect().await?;

    let tokens: u64 = replies.iter().filter_map(|reply| reply["usage"]["total_tokens"].as_u64()).sum();
    println!(
        "{} calls answered in {:.1} s, {} refused; they used {tokens} tokens",
        replies.len(),
        start.elapsed().as_secs_f64(),
        provider.refused()
    );
    Ok(())
}
