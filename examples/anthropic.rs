//! Limits calls of Anthropic's Messages API, which limits input and output apart, and settles a
//! stream in parts.
//!
//!     cargo run --example anthropic
//!
//! It needs no account. The provider is a strict stand-in inside this program, with Anthropic's
//! API. If `ANTHROPIC_API_KEY` is set, it asks Anthropic instead, with the model `ANTHROPIC_MODEL`.

use std::env;
use std::time::{Duration, Instant};

use anyhow::bail;
use futures_util::{StreamExt, TryStreamExt, stream};
use openlimit::feedback::{Observation, UsageReader};
use openlimit::testing::{Dialect, Provider};
use openlimit::{
    Dimension, MessagesRateLimiter, Output, Percent, Permit, Rate, Usage, limiter, rate_limited,
};
use reqwest::{Client, Response};
use serde_json::{Value, json};

/// The limits of the stand-in. They are lower than those of any account.
const REQUESTS: Rate = Rate::per_minute(50);
const INPUT: Rate = Rate::per_minute(30_000);
const OUTPUT: Rate = Rate::per_minute(8_000);

limiter! {
    static CLAUDE: MessagesRateLimiter = {
        requests: REQUESTS,
        input_tokens: INPUT,
        output_tokens: OUTPUT,
        // Anthropic counts the output that there is, and not `max_tokens`. So a call reserves this
        // much and, from the 20th on, about what the earlier ones put out.
        default_output: 100,
        output: Output::Learned,
    };
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let provider = Provider::builder().requests(REQUESTS).input_tokens(INPUT).output_tokens(OUTPUT);
    // Half of each prompt comes from a cache, which Anthropic does not count.
    let provider = provider.dialect(Dialect::Anthropic).answer_tokens(60).cached_input(Percent(50));
    let provider = provider.latency(Duration::from_millis(200)).start()?;
    let api = Api::new(&provider)?;

    println!("One call, streamed:");
    streamed(&api, &api.request("Tell me about the Cheshire Cat.", true)).await?;

    println!("\nFive calls, started at once. 50 a minute are allowed:");
    let start = Instant::now();
    let ask = async |number: usize| -> anyhow::Result<()> {
        let request = api.request(&format!("What is so special about {number}?"), false);
        let usage = &answer(&api, &request).await?["usage"];
        let (input, output) = (&usage["input_tokens"], &usage["output_tokens"]);
        println!("{:5.2} s  {input} tokens in, {output} out", start.elapsed().as_secs_f64());
        Ok(())
    };
    stream::iter(1..=5).map(|number| Ok(ask(number))).try_buffer_unordered(5).try_collect::<()>().await
}

/// Waits for its turn, and sends the request. The usage in the reply settles the call. If Anthropic
/// refuses it for now, all calls wait, and it is sent again.
#[rate_limited(limiter = CLAUDE, params = request, feedback, retry = 3)]
async fn answer(api: &Api, request: &Value) -> anyhow::Result<Value> {
    let response = api.send(request).await?;
    let (status, body) = (response.status(), response.text().await?);
    if !status.is_success() {
        // The limiter reads the status and the provider's message in it.
        bail!("{status}: {body}");
    }
    Ok(serde_json::from_str(&body)?)
}

/// Reads a stream, and settles its call in parts: the input when the stream begins, and the output
/// when it ends. `permit.wrap(response.bytes_stream())` does the same by itself.
async fn streamed(api: &Api, request: &Value) -> anyhow::Result<()> {
    let mut permit = CLAUDE.acquire(request).await?;
    println!("reserved: {}", charged(&permit));
    let response = api.send(request).await?;
    let status = response.status();
    let headers = response.headers().iter().map(|(name, value)| (name, value.as_bytes()));
    let head = Observation::from_parts(status.as_u16(), headers, b"");
    if !status.is_success() {
        permit.refused(&head);
        bail!("{status}");
    }
    permit.observe(&head);

    let mut reader = UsageReader::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.try_next().await? {
        for line in chunk.split_inclusive(|byte| *byte == b'\n') {
            reader.feed(line);
            let Some(usage) = reader.usage() else { continue };
            let before = permit.cost();
            if reader.is_final() {
                permit.settle_so_far(usage);
            } else if let Some(input) = usage.amount(&Dimension::InputTokens) {
                // The output that is stated here is not all of it.
                permit.settle_so_far(Usage::default().with(Dimension::InputTokens, input));
            }
            if permit.cost() != before {
                println!("settled:  {}", charged(&permit));
            }
        }
    }
    Ok(())
}

/// Returns what a call is charged, in words.
fn charged(permit: &Permit) -> String {
    let cost = permit.cost();
    let (input, output) = (cost.amount(&Dimension::InputTokens), cost.amount(&Dimension::OutputTokens));
    format!("{input} tokens in, {output} out")
}

/// A minimal client of Anthropic's API.
struct Api {
    http: Client,
    url: String,
    key: String,
    model: String,
}

impl Api {
    fn new(provider: &Provider) -> anyhow::Result<Self> {
        let (url, key) = match env::var("ANTHROPIC_API_KEY") {
            Ok(key) => ("https://api.anthropic.com/v1".to_owned(), key),
            Err(_) => (provider.url(), "none needed".to_owned()),
        };
        let model = env::var("ANTHROPIC_MODEL").unwrap_or_else(|_| "claude-sonnet-4-5".to_owned());
        Ok(Self { http: openlimit_examples::http_client()?, url, key, model })
    }

    fn request(&self, question: &str, stream: bool) -> Value {
        json!({
            "model": self.model,
            "max_tokens": 300,
            "messages": [{ "role": "user", "content": question }],
            "stream": stream,
        })
    }

    async fn send(&self, request: &Value) -> reqwest::Result<Response> {
        let post = self.http.post(format!("{}/messages", self.url)).header("x-api-key", &self.key);
        post.header("anthropic-version", "2023-06-01").json(request).send().await
    }
}
