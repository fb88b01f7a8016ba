//! Sends the same calls twice: without a limiter, where each refused call is sent again, and with
//! one.
//!
//!     cargo run --release --example quickstart
//!
//! It needs no account. The provider is a strict stand-in inside this program, with OpenAI's API.
//! If `OPENAI_API_KEY` is set, it makes twelve limited calls to OpenAI instead, or to
//! `OPENAI_BASE_URL`, with the model `OPENAI_MODEL`.

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use openlimit::testing::Provider;
use openlimit::{ChatRateLimiter, Dimension, Rate, limiter, rate_limited};
use openlimit_examples::{Api, request};
use reqwest::{Response, StatusCode};
use serde_json::Value;

/// The limits of the provider. One second of them may be taken at once.
const REQUESTS: Rate = Rate::per_minute(3_000);
const TOKENS: Rate = Rate::per_minute(600_000);

const CALLS: usize = 300;
/// The most calls that are in flight.
const AT_ONCE: usize = 32;

limiter! {
    static CHAT: ChatRateLimiter = { requests: REQUESTS, tokens: TOKENS };

    /// For a real account: lower than the limits of any account.
    static ACCOUNT: ChatRateLimiter = { requests: 60 / minute, tokens: 10_000 / minute };
}

async fn plain(api: &Api, params: &Value) -> anyhow::Result<Response> {
    Ok(api.chat(params).await?)
}

#[rate_limited(limiter = CHAT, params = params)]
async fn limited(api: &Api, params: &Value) -> anyhow::Result<Response> {
    Ok(api.chat(params).await?)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if let Some(api) = Api::from_env()? {
        return real_calls(&api).await;
    }
    let requests: Vec<Value> = (0..CALLS).map(|number| request(number, "gpt-4o")).collect();
    let tokens = requests.iter().map(|params| Ok(CHAT.cost(params)?.amount(&Dimension::Tokens)));
    let tokens: u64 = tokens.sum::<anyhow::Result<u64>>()?;
    println!("{CALLS} calls with {tokens} tokens, {AT_ONCE} at a time.");
    println!("The provider allows {} requests and {} tokens a minute.", REQUESTS.amount(), TOKENS.amount());
    println!("A refused call (429) is sent again after its `retry-after`.\n");

    let passes = [
        ("without openlimit", pass("without openlimit", &requests, plain).await?),
        ("with openlimit", pass("with openlimit", &requests, limited).await?),
    ];

    // The tighter limit decides. One second of it may be taken at once, so it ends a second
    // earlier.
    let full = |amount: u64, rate: Rate| amount as f64 * 60.0 / rate.amount() as f64;
    let full = full(tokens, TOKENS).max(full(CALLS as u64, REQUESTS));
    println!("\n                   answered   refused   seconds   at best   share of the limit");
    for (name, Pass { answered, refused, time }) in &passes {
        let (time, best) = (time.as_secs_f64(), full - 1.0);
        let share = 100.0 * full / (time + 1.0);
        println!("{name:17} {answered:9} {refused:9} {time:9.2} {best:9.2} {share:18.1} %");
    }
    let [_, (_, limited)] = passes;
    ensure!(limited.refused == 0, "the provider refused {} calls of the limiter", limited.refused);
    Ok(())
}

struct Pass {
    answered: usize,
    refused: usize,
    /// From the start until the provider accepted the last call.
    time: Duration,
}

/// Sends all calls to a new provider. A refused call is sent again after its `retry-after`, up to a
/// hundred times.
async fn pass(
    name: &'static str,
    requests: &[Value],
    call: impl AsyncFn(&Api, &Value) -> anyhow::Result<Response>,
) -> anyhow::Result<Pass> {
    let latency = Duration::from_millis(200);
    // As at OpenAI, a refused call counts as a request too.
    let limits = Provider::builder().requests(REQUESTS).tokens(TOKENS).refused_count(true);
    let provider = limits.latency(latency).start()?;
    let api = Api::new(provider.url(), "none needed".to_owned())?;
    let style = ProgressStyle::with_template("{prefix:17} {bar:32} {pos}/{len} calls, {msg} refused")?;
    let bar = ProgressBar::new(requests.len() as u64).with_style(style).with_prefix(name);

    let start = Instant::now();
    let calls = requests.iter().map(async |params| {
        for _ in 0..100 {
            let reply = call(&api, params).await?;
            if reply.status() != StatusCode::TOO_MANY_REQUESTS {
                return anyhow::Ok(reply.error_for_status()?);
            }
            let seconds = reply.headers().get("retry-after").context("no retry-after")?.to_str()?.parse()?;
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
        bail!("the provider refused a call 100 times")
    });
    let mut answers = stream::iter(calls).buffer_unordered(AT_ONCE);
    while answers.try_next().await?.is_some() {
        bar.set_message(provider.refused().to_string());
        bar.inc(1);
    }
    bar.finish();
    let admitted = provider.arrivals().into_iter().filter(|arrival| arrival.status == 200);
    let time = admitted.map(|arrival| arrival.at - start).max().unwrap_or_default();
    Ok(Pass { answered: provider.admitted(), refused: provider.refused(), time })
}

#[rate_limited(limiter = ACCOUNT, params = params, feedback, retry = 3)]
async fn real_call(api: &Api, params: &Value) -> anyhow::Result<Value> {
    let reply = api.chat(params).await?;
    let (status, text) = (reply.status(), reply.text().await?);
    ensure!(status.is_success(), "{status}: {text}");
    Ok(serde_json::from_str(&text)?)
}

async fn real_calls(api: &Api) -> anyhow::Result<()> {
    let model = env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-4o-mini".to_owned());
    let requests: Vec<Value> = (0..12).map(|number| request(number, &model)).collect();
    let start = Instant::now();
    let calls = requests.iter().map(|params| real_call(api, params));
    let mut replies = stream::iter(calls).buffer_unordered(AT_ONCE);
    while let Some(reply) = replies.try_next().await? {
        let time = start.elapsed().as_secs_f64();
        println!("{time:5.1} s  {} tokens", reply["usage"]["total_tokens"]);
    }
    Ok(())
}
