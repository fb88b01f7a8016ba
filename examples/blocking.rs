//! Limits a plain function that three threads call. There is no async code and no runtime.
//!
//!     cargo run --example blocking

use std::thread;
use std::time::Instant;

use openlimit::testing::Provider;
use openlimit::{ChatRateLimiter, Rate, limiter, rate_limited};
use serde_json::{Value, json};

limiter! {
    /// The limits of our account for gpt-4o.
    static CHAT: ChatRateLimiter = {
        requests: 600 / minute,
        tokens: 40_000 / minute,
    };
}

/// Waits for its turn, then sends the request. If it is refused, all calls wait, and it is sent
/// again.
#[rate_limited(limiter = CHAT, params = params, feedback, retry = 3)]
fn ask(agent: &ureq::Agent, url: &str, params: &Value) -> anyhow::Result<Value> {
    Ok(agent.post(format!("{url}/chat/completions")).send_json(params)?.body_mut().read_json()?)
}

fn main() -> anyhow::Result<()> {
    // Stands in for OpenAI. It refuses every call above the same limits.
    let provider =
        Provider::builder().requests(Rate::per_minute(600)).tokens(Rate::per_minute(40_000)).start()?;
    let (agent, url) = (ureq::agent(), provider.url());

    let start = Instant::now();
    let work = |name: char| {
        for number in 1..=10 {
            let content = format!("Name {number} words that begin with the letter {name}.");
            let params = json!({
                "model": "gpt-4o",
                "messages": [{ "role": "user", "content": content }],
            });
            let reply = ask(&agent, &url, &params)?;
            let time = start.elapsed().as_secs_f64();
            println!(
                "{time:5.2} s  thread {name}, call {number:2}: {} tokens",
                reply["usage"]["total_tokens"]
            );
        }
        anyhow::Ok(())
    };
    // All threads share the limiter.
    thread::scope(|scope| {
        let work = &work;
        let threads = ['A', 'B', 'C'].map(|name| scope.spawn(move || work(name)));
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic in `work`"))
    })?;
    println!("{} calls answered, {} refused", provider.admitted(), provider.refused());
    Ok(())
}
