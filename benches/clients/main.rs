//! Measures what an adapter adds to a request: the same call through a client, with it and without.
//!
//! `cargo bench -p openlimit-benches --bench clients`. No request reaches a network: the innermost
//! part of each client answers at once. Counting tokens is left out, because `counting` measures
//! it. The aim is 10 microseconds. Each time is the fastest of many rounds, since other work on the
//! machine only adds.

use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;
use std::time::Instant;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use openlimit::clients::LimitLayer;
use openlimit::{Cost, Rate, RateLimiter};
use openlimit_benches::Line;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use tower::{Layer, Service, ServiceExt, service_fn};

const URL: &str = "http://localhost/v1/chat/completions";
const REQUEST: &str =
    r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}"#;
const REPLY: &str = r#"{"id": "chatcmpl-0", "object": "chat.completion", "model": "gpt-4o", "choices": [{"index": 0,
    "message": {"role": "assistant", "content": "Because air scatters blue light more than red."},
    "finish_reason": "stop"}], "usage": {"prompt_tokens": 13, "completion_tokens": 11, "total_tokens": 24}}"#;

/// Returns the microseconds that a request takes, in so many rounds, with the adapter or without.
type Measure = fn(u32, Option<LimitLayer>) -> f64;

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let rounds = if is_bench { 100 } else { 1 };
    let many = Rate::per_second(1_000_000_000);
    let limiter = RateLimiter::builder().requests(many).tokens(many).build().expect("valid limits");
    let layer = LimitLayer::new(limiter).cost(|_| Some(Cost::new().tokens(29)));
    let clients: [(&str, Measure); 4] =
        [("reqwest", reqwest), ("async-openai", async_openai), ("ureq", ureq), ("a service of tower", tower)];
    let lines = clients.into_iter().flat_map(|(client, time)| {
        let (without, with) = (time(rounds, None), time(rounds, Some(layer.clone())));
        [
            Line::remark(format!("us for a request of {client} that is answered at once"), without),
            Line::at_most(format!("us that the adapter adds to it ({client})"), with - without, 10.0),
        ]
    });
    openlimit_benches::print(lines.collect::<Vec<_>>().into_iter());
}

/// Returns the headers of an answer of OpenAI's.
fn answer<B>(body: B) -> http::Response<B> {
    http::Response::builder()
        .header("content-type", "application/json")
        .header("x-ratelimit-limit-requests", "10000")
        .header("x-ratelimit-limit-tokens", "30000000")
        .header("x-ratelimit-remaining-requests", "9999")
        .header("x-ratelimit-remaining-tokens", "29999984")
        .header("x-ratelimit-reset-requests", "6ms")
        .header("x-ratelimit-reset-tokens", "0s")
        .body(body)
        .expect("valid headers")
}

fn request<B>(body: B) -> http::Request<B> {
    http::Request::post(URL).header("content-type", "application/json").body(body).expect("a valid request")
}

/// Answers at once.
struct Canned;

#[async_trait::async_trait]
impl Middleware for Canned {
    async fn handle(
        &self,
        _: reqwest::Request,
        _: &mut http::Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        Ok(answer(REPLY).into())
    }
}

fn reqwest(rounds: u32, layer: Option<LimitLayer>) -> f64 {
    let builder = ClientBuilder::new(reqwest::Client::new());
    let builder = match layer {
        Some(layer) => builder.with(layer),
        None => builder,
    };
    let client: ClientWithMiddleware = builder.with(Canned).build();
    fastest_async(rounds, async || {
        let request = reqwest::Request::try_from(request(REQUEST)).expect("a valid URL");
        client.execute(request).await.expect("an answer").bytes().await.expect("a body")
    })
}

fn async_openai(rounds: u32, layer: Option<LimitLayer>) -> f64 {
    let http = service_fn(|factory: HttpRequestFactory| async move {
        factory.build().await?;
        Ok::<reqwest::Response, OpenAIError>(answer(REPLY).into())
    });
    let factory = HttpRequestFactory::new(|| {
        ready(Ok(reqwest::Request::try_from(request(REQUEST)).expect("a valid URL")))
    });
    match layer {
        Some(layer) => fastest_async(rounds, async || {
            let response = layer.layer(http).oneshot(factory.clone()).await.expect("an answer");
            response.bytes().await.expect("a body")
        }),
        None => fastest_async(rounds, async || {
            let response = http.oneshot(factory.clone()).await.expect("an answer");
            response.bytes().await.expect("a body")
        }),
    }
}

fn tower(rounds: u32, layer: Option<LimitLayer>) -> f64 {
    let http = service_fn(|_: http::Request<Full<Bytes>>| {
        ready(Ok::<_, Infallible>(answer(Full::new(Bytes::from_static(REPLY.as_bytes())))))
    });
    match layer {
        Some(layer) => {
            let mut service = layer.layer(http);
            fastest_async(rounds, async || {
                let response = service.call(request(Full::from(REQUEST))).await.expect("an answer");
                response.into_body().collect().await.expect("a body")
            })
        }
        None => {
            let mut service = http;
            fastest_async(rounds, async || {
                let response = service.call(request(Full::from(REQUEST))).await.expect("an answer");
                response.into_body().collect().await.expect("a body")
            })
        }
    }
}

fn ureq(rounds: u32, layer: Option<LimitLayer>) -> f64 {
    use ureq::middleware::MiddlewareNext;

    fn canned(
        _: http::Request<ureq::SendBody<'_>>,
        _: MiddlewareNext<'_>,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        Ok(answer(ureq::Body::builder().mime_type("application/json").data(REPLY)))
    }

    let builder = ureq::Agent::config_builder();
    let builder = match layer {
        Some(layer) => builder.middleware(layer),
        None => builder,
    };
    let agent: ureq::Agent = builder.middleware(canned).build().into();
    fastest(rounds, || {
        agent.run(request(REQUEST)).expect("an answer").body_mut().read_to_vec().expect("a body")
    })
}

/// Returns the microseconds of a call, in the fastest round.
fn fastest<T>(rounds: u32, mut call: impl FnMut() -> T) -> f64 {
    const CALLS: u32 = 500;
    let mut round = || {
        let start = Instant::now();
        for _ in 0..CALLS {
            black_box(call());
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
    };
    (0..rounds).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// Does the same with a call that is a future.
fn fastest_async<T>(rounds: u32, mut call: impl AsyncFnMut() -> T) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    fastest(rounds, || runtime.block_on(call()))
}
