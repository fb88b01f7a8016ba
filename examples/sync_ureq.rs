//! Limits everything that an agent of ureq sends. Another program uses the same key, and the
//! limiter makes room for it.
//!
//!     cargo run --example sync_ureq

use std::thread;
use std::time::{Duration, Instant};

use openlimit::clients::LimitLayer;
use openlimit::testing::Provider;
use openlimit::{ChatRateLimiter, Rate, limiter};
use serde_json::{Value, json};
use ureq::Agent;

limiter! {
    /// The limits of our account for gpt-4o.
    static CHAT: ChatRateLimiter = {
        requests: 600 / minute,
        tokens: 40_000 / minute,
    };
}

fn main() -> anyhow::Result<()> {
    // Stands in for OpenAI. Its bucket holds ten seconds of each limit.
    let burst = Duration::from_secs(10);
    let provider = Provider::builder()
        .requests(Rate::per_minute(600).burst(burst))
        .tokens(Rate::per_minute(40_000).burst(burst))
        .charges_usage(true)
        .start()?;
    let url = format!("{}/chat/completions", provider.url());
    let ask = |agent: &Agent, name: &str, number: usize| -> anyhow::Result<u64> {
        let content = format!("Name {number} words that begin with the letter {name}.");
        let params = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": content }] });
        let reply: Value = agent.post(&url).send_json(params)?.body_mut().read_json()?;
        Ok(reply["usage"]["total_tokens"].as_u64().unwrap_or(0))
    };

    let start = Instant::now();
    let limited: Agent = Agent::config_builder().middleware(LimitLayer::new(&CHAT)).build().into();
    let other = ureq::agent();
    thread::scope(|scope| {
        let others = scope.spawn(|| {
            for number in 1..=15 {
                ask(&other, "Z", number)?;
                thread::sleep(Duration::from_millis(200));
            }
            anyhow::Ok(())
        });
        // All threads share the limiter.
        let threads = ["A", "B", "C"].map(|name| {
            let (ask, limited) = (&ask, &limited);
            scope.spawn(move || {
                for number in 1..=10 {
                    // A 429 would be an error here.
                    let tokens = ask(limited, name, number)?;
                    let time = start.elapsed().as_secs_f64();
                    println!("{time:5.2} s  thread {name}, call {number:2}: {tokens} tokens");
                }
                anyhow::Ok(())
            })
        });
        threads.into_iter().chain([others]).try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    println!("{} calls of both programs answered, {} refused", provider.admitted(), provider.refused());
    Ok(())
}
