//! A minute of real time through each client, with its adapter.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::middleware::ReqwestService;
use async_openai::middleware::retry::OpenAIRetryLayer;
use async_openai::types::chat::CreateChatCompletionRequest;
use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use openlimit::clients::LimitLayer;
use openlimit::testing::Provider;
use openlimit::{Builder, ChatRateLimiter, Percent, kind};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::shared_key::{Figures, REQUESTS, TOKENS, params, used};
use reqwest_middleware::ClientBuilder;
use serde_json::Value;
use tower::{Layer, ServiceBuilder, ServiceExt};
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use super::aims::{Aims, print};

/// 20 refusals in a minute of about 4 000 calls.
const FEW: Aims = Aims { refused: 0.5, others_refused: 1.0, used: 94.0 };

const CALLERS: usize = 64;

/// How much the provider's buckets hold, and how long its replies take.
const BUCKET: Duration = Duration::from_secs(1);
const LATENCY: Duration = Duration::from_millis(20);

/// Sends the calls of all callers to the provider at this URL until that time.
type SendUntil = fn(Instant, &str, ChatRateLimiter);

pub(crate) fn run(is_bench: bool) {
    let time = length(is_bench);
    minute(time, "ureq, without feedback", None, |end, url| unheard(end, url, limiter()));
    let clients: [(&str, SendUntil); 4] =
        [("reqwest", reqwest), ("async-openai", async_openai), ("ureq", ureq), ("tower and hyper", tower)];
    for (client, send_until) in clients {
        minute(time, client, Some(FEW), |end, url| send_until(end, url, limiter()));
    }
}

pub(crate) fn run_over_redis(is_bench: bool) {
    let time = length(is_bench);
    minute(time, "two clients of reqwest over Redis", Some(FEW), |end, url| {
        let redis = RedisServer::start();
        let limiter = || builder().name("chat").redis(redis.url()).build().expect("the limits are valid");
        thread::scope(|scope| {
            for limiter in [limiter(), limiter()] {
                scope.spawn(move || reqwest(end, url, limiter));
            }
        });
    });
}

fn length(is_bench: bool) -> Duration {
    Duration::from_millis(if is_bench { 60_000 } else { 300 })
}

fn minute(time: Duration, client: &str, aims: Option<Aims>, send_until: impl FnOnce(Instant, &str)) {
    let provider = Provider::builder()
        .requests(REQUESTS.burst(BUCKET))
        .tokens(TOKENS.burst(BUCKET))
        .other_consumer(Percent(70), 1)
        .charges_usage(true)
        .latency(LATENCY)
        .start()
        .expect("a free port");
    send_until(Instant::now() + time, &provider.url());
    let (refused, admitted, others) = (provider.refused(), provider.admitted(), provider.others());
    let used = used(time, BUCKET, admitted, others);
    let figures = Figures { attempts: refused + admitted, refused, others, used };
    print(&format!("a minute of {client}, bucket of 1 s, replies after {LATENCY:?}"), &figures, aims);
}

fn builder() -> Builder<kind::Chat> {
    ChatRateLimiter::builder().requests(REQUESTS).tokens(TOKENS)
}

fn limiter() -> ChatRateLimiter {
    builder().build().expect("the limits are valid")
}

/// Lets all callers make calls on one runtime, until `end`.
fn call_until(end: Instant, call: impl AsyncFn(Value)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let number = Cell::new(0);
    let caller = async || loop {
        call(params(number.replace(number.get() + 1))).await;
    };
    runtime.block_on(async {
        let callers = join_all((0..CALLERS).map(|_| caller()));
        tokio::time::timeout_at(end.into(), callers).await.expect_err("callers go on for ever");
    });
}

fn reqwest(end: Instant, url: &str, limiter: ChatRateLimiter) {
    // It needs one even for HTTP. An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = ClientBuilder::new(reqwest::Client::new()).with(LimitLayer::new(limiter)).build();
    let url = format!("{url}/chat/completions");
    call_until(end, async |params| {
        let response = client.post(&url).json(&params).send().await.expect("the provider answers");
        response.bytes().await.expect("a body");
    });
}

/// Its own retries are on.
fn async_openai(end: Instant, url: &str, limiter: ChatRateLimiter) {
    let http = reqwest::Client::new();
    let service = ServiceBuilder::new()
        .layer(OpenAIRetryLayer::default())
        .layer(LimitLayer::new(limiter))
        .service(ReqwestService::new(http.clone()));
    let config = OpenAIConfig::new().with_api_base(url).with_api_key("no key");
    let client = Client::build(http, config).with_http_service(service);
    call_until(end, async |params| {
        let request: CreateChatCompletionRequest = serde_json::from_value(params).expect("a chat");
        // An error if it was refused more often than it is sent again.
        let _ = client.chat().create(request).await;
    });
}

fn tower(end: Instant, url: &str, limiter: ChatRateLimiter) {
    let client = HyperClient::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let service = LimitLayer::new(limiter).layer(client);
    let url = format!("{url}/chat/completions");
    call_until(end, async |params| {
        let request = http::Request::post(&url).header("content-type", "application/json");
        let request = request.body(Full::from(params.to_string())).expect("a valid request");
        let response = service.clone().oneshot(request).await.expect("the provider answers");
        response.into_body().collect().await.expect("a body");
    });
}

fn ureq(end: Instant, url: &str, limiter: ChatRateLimiter) {
    let config =
        ureq::Agent::config_builder().middleware(LimitLayer::new(limiter).http_status_as_error(false));
    call_in_threads(end, url, config, |_| ());
}

/// Waits for the limiter, and does not tell it of the responses.
fn unheard(end: Instant, url: &str, limiter: ChatRateLimiter) {
    call_in_threads(end, url, ureq::Agent::config_builder(), |params| {
        let _permit = limiter.acquire(params).blocking().expect("it has no timeout");
    });
}

fn call_in_threads(
    end: Instant,
    url: &str,
    config: ConfigBuilder<AgentScope>,
    wait: impl Fn(&Value) + Send + Sync,
) {
    let config = config.http_status_as_error(false);
    let config = config.max_idle_connections(CALLERS).max_idle_connections_per_host(CALLERS);
    let agent: ureq::Agent = config.build().into();
    let url = format!("{url}/chat/completions");
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (agent, url, wait) = (&agent, &url, &wait);
            scope.spawn(move || {
                for number in caller.. {
                    if Instant::now() >= end {
                        break;
                    }
                    let params = params(number);
                    wait(&params);
                    let mut response = agent.post(url).send_json(params).expect("an answer");
                    response.body_mut().read_to_vec().expect("a body");
                }
            });
        }
    });
}
