//! hyper's client as a service of tower, below tower's own retries.

use std::future::{Ready, ready};
use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use openlimit::clients::{CostLayer, LimitLayer};
use openlimit::{AcquireError, Cost};
use tower::retry::{Policy, RetryLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use super::client::Hyper;
use super::server::{Server, answer};
use super::suite::{CHAT, JSON, PATH, REPLY, available, counting, limiter, strict_provider, suite};

suite!(Hyper);

type Body = Full<bytes::Bytes>;
type Request = http::Request<Body>;

fn request(url: &str) -> Request {
    http::Request::post(url).header("content-type", JSON).body(Full::from(CHAT)).unwrap()
}

fn hyper() -> Client<hyper_util::client::legacy::connect::HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Sends refused requests again, at once.
#[derive(Clone)]
struct Again;

impl<R, E> Policy<Request, http::Response<R>, E> for Again {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request, result: &mut Result<http::Response<R>, E>) -> Option<Ready<()>> {
        result.as_ref().is_ok_and(|response| response.status() == 429).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn each_attempt_of_towers_retries_is_counted_and_none_is_wasted() {
    let (provider, limiter) = strict_provider();
    let (layer, attempts) = counting(&limiter);
    let service = ServiceBuilder::new().layer(RetryLayer::new(Again)).layer(layer).service(hyper());
    let url = format!("{}/chat/completions", provider.url());
    let replies = join_all((0..8).map(|_| service.clone().oneshot(request(&url)))).await;
    assert!(replies.iter().all(|reply| reply.as_ref().is_ok_and(|reply| reply.status() == 200)));
    let refused = provider.refused();
    assert_eq!(provider.arrivals().len(), *attempts.lock().unwrap());
    // They are sent again at once, and still each waits for the end of the hold.
    assert!((1..60).contains(&refused), "{refused}");
}

#[tokio::test]
async fn a_service_is_ready_while_its_calls_wait() {
    let limiter = limiter();
    drop(limiter.try_acquire(1_000).unwrap());
    let mut service = LimitLayer::new(&limiter).layer(hyper());
    for _ in 0..3 {
        let call = service.ready().await.unwrap().call(request("http://127.0.0.1:1/v1/chat/completions"));
        assert!(tokio::time::timeout(Duration::from_millis(5), call).await.is_err());
    }
    assert_eq!(limiter.status().unwrap().waiting, 0);
}

#[tokio::test]
async fn a_function_gives_the_cost_of_requests_whose_bodies_say_nothing() {
    let server = Server::answering(answer("200 OK", &[], REPLY));
    let limiter = limiter();
    let layer = CostLayer::new(&limiter, |request: &Request| {
        (request.uri().path() == PATH).then(|| Cost::new().tokens(800))
    })
    .timeout(Duration::from_secs(1));
    let service = layer.layer(hyper());
    let response = service.clone().oneshot(request(&server.url(PATH))).await.unwrap();
    assert_eq!(available(&limiter), 200);
    let error = service.clone().oneshot(request(&server.url(PATH))).await.unwrap_err();
    assert!(matches!(AcquireError::find(&*error), Some(AcquireError::Timeout { .. })));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), REPLY);
    assert_eq!(available(&limiter), 1_000 - 21);
    service.oneshot(request(&server.url("/other"))).await.unwrap();
    assert_eq!(available(&limiter), 1_000 - 21);
    assert!(server.requests().iter().all(|request| request.ends_with(CHAT)));
}
