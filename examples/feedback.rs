//! Shares a key with a program that knows no limiter, and lets the responses say what is left.
//!
//!     cargo run --release --example feedback
//!
//! It needs no account. The provider is a strict stand-in inside this program, with OpenAI's API.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use futures_util::{StreamExt, TryStreamExt, stream};
use openlimit::feedback::Observation;
use openlimit::testing::Provider;
use openlimit::{ChatRateLimiter, Rate};
use openlimit_examples::{Api, request};
use serde_json::Value;
use tokio::time::{interval, sleep};

/// The limit of the key: 100 a second, and 200 at once.
const LIMIT: Rate = Rate::per_minute(6_000).burst(Duration::from_secs(2));

/// The calls of this program, and how many of them are in flight at most.
const CALLS: usize = 400;
const AT_ONCE: usize = 32;

/// The other program makes 60 calls a second.
const OTHERS_PACE: Duration = Duration::from_nanos(16_666_667);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let requests: Vec<Value> = (0..CALLS).map(|number| request(number, "gpt-4o")).collect();
    println!("The key allows 100 calls a second. Another program makes 60, and this one {CALLS} in all.");
    println!("\n                    refused   the other's   seconds");
    for believes in [false, true] {
        let limiter = ChatRateLimiter::builder().requests(LIMIT).name("feedback").build()?;
        let provider = Provider::builder().requests(LIMIT).latency(Duration::from_millis(50)).start()?;
        let api = Arc::new(Api::new(provider.url(), "none needed".to_owned())?);
        let refused = Arc::new(AtomicUsize::new(0));
        let other = tokio::spawn(other_program(Arc::clone(&api), Arc::clone(&refused)));
        let start = Instant::now();
        let calls = requests.iter().map(|params| call(&limiter, &api, params, believes));
        stream::iter(calls).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        other.abort();
        let name = if believes { "with feedback" } else { "without feedback" };
        let others = refused.load(Ordering::Relaxed);
        let seconds = start.elapsed().as_secs_f64();
        println!("{name:17} {:9} {others:13} {seconds:9.2}", provider.refused() - others);
    }
    Ok(())
}

/// Makes a call until it is answered.
async fn call(limiter: &ChatRateLimiter, api: &Api, params: &Value, believes: bool) -> anyhow::Result<()> {
    for _ in 0..100 {
        let permit = limiter.acquire(params).await?;
        let response = api.chat(params).await?;
        let status = response.status().as_u16();
        let headers = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let observation = Observation::from_parts(status, headers, b"");
        if believes {
            permit.responded(&observation);
        } else if status == 429 {
            sleep(observation.retry_after().unwrap_or_default()).await;
        }
        if status == 200 {
            return Ok(());
        }
    }
    bail!("the provider refused a call 100 times")
}

/// Makes calls at a steady pace, and drops those that are refused.
async fn other_program(api: Arc<Api>, refused: Arc<AtomicUsize>) {
    let mut pace = interval(OTHERS_PACE);
    for number in 0.. {
        pace.tick().await;
        let (api, refused) = (Arc::clone(&api), Arc::clone(&refused));
        tokio::spawn(async move {
            let response = api.chat(&request(number, "gpt-4o")).await;
            if response.is_ok_and(|response| response.status() == 429) {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}
