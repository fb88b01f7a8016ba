//! A conversation whose answers are printed as they arrive. The end of each stream settles its
//! call.
//!
//!     cargo run --example streaming
//!
//! With `OPENAI_API_KEY`, it asks OpenAI.

use std::io::{Write, stdout};

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::ReqwestService;
use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage, ChatCompletionRequestUserMessage,
    ChatCompletionResponseStream, ChatCompletionStreamOptions, CreateChatCompletionRequest,
    CreateChatCompletionRequestArgs,
};
use futures_util::TryStreamExt;
use openlimit::testing::Provider;
use openlimit::{ChatRateLimiter, Dimension, Rate, limiter, rate_limited};

limiter! {
    /// What one conversation may use.
    static CHAT: ChatRateLimiter = {
        requests: 600 / minute,
        tokens: 100_000 / day,
    };
}

/// Makes a call. If the provider refuses it, the call waits and is made again. The permit moves
/// into the stream.
#[rate_limited(limiter = CHAT, params = request, stream, feedback, retry = 3)]
async fn chat(
    client: &Client<OpenAIConfig>,
    request: &CreateChatCompletionRequest,
) -> Result<ChatCompletionResponseStream, OpenAIError> {
    client.chat().create_stream(request.clone()).await
}

const QUESTIONS: [&str; 3] = [
    "What is a leaky bucket?",
    "And how does it differ from a token bucket?",
    "Which of the two would you use in a client? Answer in one sentence.",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Stands in for OpenAI. It refuses every call above these limits.
    let provider = Provider::builder().requests(Rate::per_minute(600)).answer_tokens(40).start()?;
    let config = match std::env::var_os("OPENAI_API_KEY") {
        Some(_) => OpenAIConfig::default(),
        None => OpenAIConfig::new().with_api_base(provider.url()).with_api_key("no key"),
    };
    let http = openlimit_examples::http_client()?;
    // Without the client's own retries, which the limiter would not see.
    let client = Client::build(http.clone(), config).with_http_service(ReqwestService::new(http));

    let mut messages: Vec<ChatCompletionRequestMessage> = Vec::new();
    for question in QUESTIONS {
        println!("> {question}");
        messages.push(ChatCompletionRequestUserMessage::from(question).into());
        let request = CreateChatCompletionRequestArgs::default()
            .model("gpt-4o-mini")
            .messages(messages.clone())
            .max_completion_tokens(400_u32)
            // Without it, the stream does not state its usage, and the reservation stays.
            .stream_options(ChatCompletionStreamOptions {
                include_usage: Some(true),
                include_obfuscation: None,
            })
            .build()?;

        let before = left()?;
        let mut events = chat(&client, &request).await?;
        let during = left()?;
        let mut answer = String::new();
        while let Some(event) = events.try_next().await? {
            for text in event.choices.iter().filter_map(|choice| choice.delta.content.as_deref()) {
                print!("{text}");
                stdout().flush()?;
                answer.push_str(text);
            }
        }
        println!("\n\ntokens left: {before} before, {during} while it streamed, {} after\n", left()?);
        messages.push(ChatCompletionRequestAssistantMessage::from(answer).into());
    }
    Ok(())
}

/// Returns how many tokens the limiter still allows. It refills by about one token a second.
fn left() -> anyhow::Result<u64> {
    let limits = CHAT.status()?.limits;
    let tokens = limits.iter().find(|limit| *limit.limit.dimension() == Dimension::Tokens);
    Ok(tokens.map_or(0, |tokens| tokens.available))
}
