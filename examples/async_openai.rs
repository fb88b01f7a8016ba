//! Limits everything that async-openai's client sends, its own retries included.
//!
//!     cargo run --example async_openai
//!
//! With `OPENAI_API_KEY`, it asks OpenAI.

use std::time::Instant;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::middleware::{ReqwestService, retry::OpenAIRetryLayer};
use async_openai::types::chat::{
    ChatCompletionRequestUserMessage, ChatCompletionStreamOptions, CreateChatCompletionRequestArgs,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use openlimit::clients::LimitLayer;
use openlimit::testing::Provider;
use openlimit::{ChatRateLimiter, Rate, limiter};
use tower::ServiceBuilder;

limiter! {
    /// The limits of our account for gpt-4o-mini.
    static CHAT: ChatRateLimiter = {
        requests: 600 / minute,
        tokens: 40_000 / minute,
    };
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Stands in for OpenAI. It refuses every call above the same limits.
    let provider = Provider::builder()
        .requests(Rate::per_minute(600))
        .tokens(Rate::per_minute(40_000))
        .charges_usage(true)
        .start()?;
    let config = match std::env::var_os("OPENAI_API_KEY") {
        Some(_) => OpenAIConfig::default(),
        None => OpenAIConfig::new().with_api_base(provider.url()).with_api_key("no key"),
    };

    let http = openlimit_examples::http_client()?;
    // Below the retries, so that each attempt waits its turn.
    let service = ServiceBuilder::new()
        .layer(OpenAIRetryLayer::default())
        .layer(LimitLayer::new(&CHAT))
        .service(ReqwestService::new(http.clone()));
    let client = Client::build(http, config).with_http_service(service);

    let start = Instant::now();
    let ask = async |number: usize| -> anyhow::Result<()> {
        let question = format!("What is so special about {number}? Answer in one sentence.");
        let request = CreateChatCompletionRequestArgs::default()
            .model("gpt-4o-mini")
            .messages([ChatCompletionRequestUserMessage::from(question).into()])
            .max_completion_tokens(64_u32)
            // The last event then has the usage, by which the call is settled.
            .stream_options(ChatCompletionStreamOptions {
                include_usage: Some(true),
                include_obfuscation: None,
            })
            .build()?;
        let mut answer = String::new();
        let mut events = client.chat().create_stream(request).await?;
        while let Some(event) = events.try_next().await? {
            let text = event.choices.iter().filter_map(|choice| choice.delta.content.as_deref());
            answer.extend(text);
        }
        println!("{:5.2} s  {answer}", start.elapsed().as_secs_f64());
        Ok(())
    };
    // Starts all calls at once. The limiter spaces them out.
    stream::iter(1..=20).map(|number| Ok(ask(number))).try_buffer_unordered(20).try_collect::<()>().await?;
    println!("{} calls answered, {} refused", provider.admitted(), provider.refused());
    Ok(())
}
