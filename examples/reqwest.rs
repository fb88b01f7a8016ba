//! Limits everything that a client of reqwest sends, and chooses the limiter by the model.
//!
//!     cargo run --example reqwest

use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use openlimit::clients::LimitLayer;
use openlimit::testing::Provider;
use openlimit::{AcquireError, ChatRateLimiter, Rate, limiter};
use reqwest_middleware::ClientBuilder;
use serde_json::{Value, json};

limiter! {
    /// The limits of our account for gpt-4o.
    static LARGE: ChatRateLimiter = { requests: 300 / minute, tokens: 40_000 / minute };

    /// The limits of our account for gpt-4o-mini.
    static SMALL: ChatRateLimiter = { requests: 600 / minute, tokens: 200_000 / minute };
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Stands in for OpenAI. Its bucket holds ten seconds of the limit.
    let limit = Rate::per_minute(900).burst(Duration::from_secs(10));
    let provider = Provider::builder().requests(limit).start()?;
    let url = format!("{}/chat/completions", provider.url());

    let layer = LimitLayer::choose(|request| match request.model()?.as_ref() {
        "gpt-4o" => Some(&LARGE),
        "gpt-4o-mini" => Some(&SMALL),
        // Everything else is not limited.
        _ => None,
    });
    let client = ClientBuilder::new(openlimit_examples::http_client()?).with(layer).build();

    let start = Instant::now();
    let ask = async |model: &str, number: usize| -> anyhow::Result<()> {
        let content = format!("What is so special about {number}?");
        let request = json!({ "model": model, "messages": [{ "role": "user", "content": content }] });
        let reply = client.post(&url).header("content-type", "application/json");
        let reply: Value = match reply.body(request.to_string()).send().await {
            Ok(reply) => serde_json::from_slice(&reply.error_for_status()?.bytes().await?)?,
            Err(error) => match AcquireError::find(&error) {
                Some(refused) => anyhow::bail!("not sent: {refused}"),
                None => return Err(error.into()),
            },
        };
        let time = start.elapsed().as_secs_f64();
        println!("{time:5.2} s  {model:12} {} tokens", reply["usage"]["total_tokens"]);
        Ok(())
    };
    let calls = (1..=10).flat_map(|number| [("gpt-4o", number), ("gpt-4o-mini", number)]);
    let calls = stream::iter(calls).map(|(model, number)| Ok(ask(model, number)));
    calls.try_buffer_unordered(20).try_collect::<()>().await?;
    println!("{} calls answered, {} refused", provider.admitted(), provider.refused());
    Ok(())
}
