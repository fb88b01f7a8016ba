//! async-openai, with its retries on.

use std::time::Duration;

use async_openai::Client;
use async_openai::config::{AzureConfig, OpenAIConfig};
use async_openai::error::OpenAIError;
use async_openai::middleware::ReqwestService;
use async_openai::middleware::retry::OpenAIRetryLayer;
use async_openai::types::chat::{CreateChatCompletionRequest, CreateChatCompletionRequestArgs};
use async_openai::types::embeddings::CreateEmbeddingRequestArgs;
use futures_util::StreamExt;
use futures_util::future::join_all;
use openlimit::clients::LimitLayer;
use openlimit::feedback::{Observation, Verdict};
use openlimit::testing::Provider;
use openlimit::{AcquireError, Cost, rate_limited};
use tower::ServiceBuilder;

use super::client::{AsyncOpenAi, http_client};
use super::server::{Server, answer};
use super::suite::{REPLY, available, counting, limiter, strict_provider, suite};

suite!(AsyncOpenAi);
suite!(AsyncOpenAi; a_request_that_finds_no_server_costs_nothing);

fn client(layer: LimitLayer, base: &str) -> Client<OpenAIConfig> {
    let service = ServiceBuilder::new()
        .layer(OpenAIRetryLayer::default())
        .layer(layer)
        .service(ReqwestService::new(http_client()));
    let config = OpenAIConfig::new().with_api_base(base).with_api_key("sk-test");
    Client::with_config(config).with_http_service(service)
}

fn request(stream: bool) -> CreateChatCompletionRequest {
    let message = async_openai::types::chat::ChatCompletionRequestUserMessage::from("Why is the sky blue?");
    let mut args = CreateChatCompletionRequestArgs::default();
    args.model("gpt-4o").messages([message.into()]).max_completion_tokens(300_u32);
    if stream {
        args.stream_options(async_openai::types::chat::ChatCompletionStreamOptions {
            include_usage: Some(true),
            include_obfuscation: None,
        });
    }
    args.build().unwrap()
}

#[tokio::test]
async fn each_attempt_of_its_own_retries_is_counted() {
    let (provider, limiter) = strict_provider();
    let (layer, attempts) = counting(&limiter);
    let client = client(layer, &provider.url());
    let chats = client.chat();
    let replies = join_all((0..3).map(|_| chats.create(request(false)))).await;
    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    assert!(provider.refused() > 0);
    assert_eq!(provider.arrivals().len(), *attempts.lock().unwrap());
}

#[tokio::test]
async fn replies_and_streams_settle() {
    let provider = Provider::builder().start().unwrap();
    let limiter = limiter();
    let client = client(LimitLayer::new(&limiter), &provider.url());
    let reply = client.chat().create(request(false)).await.unwrap();
    let used = u64::from(reply.usage.unwrap().total_tokens);
    assert_eq!(available(&limiter), 1_000 - used);

    let mut stream = client.chat().create_stream(request(true)).await.unwrap();
    let mut pieces = 0;
    while let Some(piece) = stream.next().await {
        piece.unwrap();
        pieces += 1;
    }
    assert!(pieces > 2);
    // Its client stops at `[DONE]`, and never reads the end of the body.
    openlimit_tests::eventually("the stream to settle", || available(&limiter) == 1_000 - 2 * used);

    let embedding = CreateEmbeddingRequestArgs::default().model("text-embedding-3-small").input("a").build();
    client.embeddings().create(embedding.unwrap()).await.unwrap();
    assert_eq!(available(&limiter), 1_000 - 2 * used - 1);
    client.models().list().await.unwrap();
}

#[tokio::test]
async fn azures_paths_are_known() {
    let server = Server::answering(answer("200 OK", &[], "{}"));
    let limiter = limiter();
    let service = ServiceBuilder::new()
        .layer(LimitLayer::choose({
            let limiter = limiter.clone();
            move |request| (request.model()? == "gpt-4o").then_some(&limiter).cloned()
        }))
        .service(ReqwestService::new(http_client()));
    let config = AzureConfig::new()
        .with_api_base(server.url(""))
        .with_api_key("test")
        .with_deployment_id("my-deployment")
        .with_api_version("2024-10-21");
    let client = Client::with_config(config).with_http_service(service);
    // The reply is no chat completion.
    client.chat().create(request(false)).await.unwrap_err();
    assert_eq!(available(&limiter), 1_000 - 313);
    let sent = &server.requests()[0];
    assert!(
        sent.starts_with("POST /openai/deployments/my-deployment/chat/completions?api-version="),
        "{sent}"
    );
}

#[tokio::test]
async fn its_errors_say_what_was_refused() {
    for (status, body, verdict) in [
        (
            "429 Too Many Requests",
            r#"{"error": {"message": "Please try again in 1.2s.", "type": "tokens", "code": "rate_limit_exceeded"}}"#,
            Verdict::Retry { after: Some(Duration::from_millis(1_200)) },
        ),
        (
            "429 Too Many Requests",
            r#"{"error": {"message": "You exceeded your current quota", "type": "insufficient_quota"}}"#,
            Verdict::Exhausted { until: None },
        ),
        (
            "400 Bad Request",
            r#"{"error": {"message": "too long", "code": "context_length_exceeded"}}"#,
            Verdict::TooLarge,
        ),
        ("400 Bad Request", r#"{"error": {"message": "429: rate limit"}}"#, Verdict::NotLimited),
        // A gateway that answers in its own way.
        (
            "429 Too Many Requests",
            r#"{"message": "rate limit, try again in 2s"}"#,
            Verdict::Retry { after: Some(Duration::from_secs(2)) },
        ),
    ] {
        let server = Server::answering(answer(status, &[], body));
        let service = ReqwestService::new(http_client());
        let config = OpenAIConfig::new().with_api_base(server.url("/v1"));
        let client = Client::with_config(config).with_http_service(service);
        let error = client.chat().create(request(false)).await.unwrap_err();
        assert_eq!(Observation::from_error(&error).verdict(), verdict, "{error}");
        assert_eq!(limiter().try_acquire(1).unwrap().refused(&error), verdict, "{error}");
    }
}

#[tokio::test]
async fn a_request_that_is_not_admitted_is_not_sent_again() {
    let server = Server::answering(answer("200 OK", &[], REPLY));
    let limiter = limiter();
    drop(limiter.try_acquire(900).unwrap());
    let (layer, attempts) = counting(&limiter);
    let client = client(layer.timeout(Duration::from_secs(1)), &server.url("/v1"));
    let error = client.chat().create(request(false)).await.unwrap_err();
    let OpenAIError::Boxed(inner) = &error else { panic!("{error:?}") };
    assert!(matches!(inner.downcast_ref(), Some(AcquireError::Timeout { .. })), "{error:?}");
    assert_eq!((*attempts.lock().unwrap(), server.requests().len()), (1, 0));
}

#[tokio::test]
async fn an_annotated_function_may_return_its_error() {
    openlimit::limiter! {
        static CALLS: openlimit::RateLimiter = { requests: 1 / hour };
    }

    #[rate_limited(limiter = CALLS, cost = Cost::new().requests(2))]
    async fn call() -> Result<(), OpenAIError> {
        Ok(())
    }

    let error = call().await.unwrap_err();
    assert!(matches!(AcquireError::find(&error), Some(AcquireError::TooLarge { .. })), "{error:?}");
}
