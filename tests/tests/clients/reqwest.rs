//! reqwest, through `reqwest-middleware`, below the retries of `reqwest-retry`.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use futures_util::future::join_all;
use openlimit::clients::LimitLayer;
use openlimit::feedback::{Observation, Verdict};
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Concurrency, Keyed, Rate, RateLimiter};
use openlimit_tests::plain;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;

use super::client::{Reqwest, http_client};
use super::server::{Server, answer};
use super::suite::{CHAT, JSON, PATH, REPLY, available, counting, limiter, strict_provider, suite};

suite!(Reqwest);
suite!(Reqwest; a_request_that_finds_no_server_costs_nothing);

fn client(layer: LimitLayer) -> ClientWithMiddleware {
    ClientBuilder::new(http_client()).with(layer).build()
}

pub(crate) async fn send(
    client: &ClientWithMiddleware,
    url: &str,
) -> reqwest_middleware::Result<reqwest::Response> {
    client.post(url).header("content-type", JSON).body(CHAT).send().await
}

#[tokio::test]
async fn each_attempt_of_reqwest_retry_is_counted() {
    let (provider, limiter) = strict_provider();
    let (layer, attempts) = counting(&limiter);
    let retries = ExponentialBackoff::builder()
        .retry_bounds(Duration::from_millis(1), Duration::from_millis(10))
        .build_with_max_retries(10);
    let client = ClientBuilder::new(http_client())
        .with(RetryTransientMiddleware::new_with_policy(retries))
        .with(layer)
        .build();
    let url = format!("{}/chat/completions", provider.url());
    let replies = join_all((0..8).map(|_| send(&client, &url))).await;
    assert!(replies.iter().all(|reply| reply.as_ref().is_ok_and(|reply| reply.status() == 200)));
    assert!(provider.refused() > 0);
    assert_eq!(provider.arrivals().len(), *attempts.lock().unwrap());
}

#[tokio::test]
async fn the_url_and_the_extensions_of_a_response_are_kept() {
    let server = Server::answering(answer("200 OK", &[], "{}"));
    let error = Server::answering(answer("500 Internal Server Error", &[], "{}"));
    let client = client(LimitLayer::new(limiter()));
    for server in [server, error] {
        let url = server.url("/v1/chat/completions?a=b");
        let response = send(&client, &url).await.unwrap();
        assert_eq!(response.url().as_str(), url);
        assert!(response.remote_addr().is_some());
        assert_eq!((response.version(), response.content_length()), (http::Version::HTTP_11, Some(2)));
        assert_eq!(
            response.error_for_status_ref().err().and_then(|error| error.url().cloned()).map(String::from),
            (response.status() == 500).then(|| url.clone())
        );
    }
}

/// The docs warn of it. If reqwest ever changes this, they can say so.
#[tokio::test]
async fn reqwests_own_retries_pass_no_middleware() {
    let server = Server::answering(answer("429 Too Many Requests", &[], "{}"));
    let retries = reqwest::retry::for_host("127.0.0.1").no_budget().max_retries_per_request(2);
    let retries = retries.classify_fn(|attempt| match attempt.status() {
        Some(status) if status == 429 => attempt.retryable(),
        _ => attempt.success(),
    });
    // Installs the provider of cryptography.
    drop(http_client());
    let http = reqwest::Client::builder().retry(retries).build().unwrap();
    let (layer, attempts) = counting(&limiter());
    let client = ClientBuilder::new(http).with(layer).build();
    assert_eq!(send(&client, &server.url(PATH)).await.unwrap().status(), 429);
    assert_eq!((*attempts.lock().unwrap(), server.requests().len()), (1, 3));
}

/// `REPLY`, compressed by gzip.
const COMPRESSED: [u8; 88] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 206, 200, 207, 76, 78, 45, 86, 178, 82, 136, 142, 213, 81,
    80, 42, 45, 78, 76, 79, 5, 114, 170, 149, 10, 138, 242, 115, 11, 74, 226, 75, 242, 179, 83, 243, 64, 210,
    150, 64, 217, 100, 160, 80, 78, 106, 73, 102, 126, 30, 66, 220, 208, 8, 40, 81, 146, 95, 146, 152, 131,
    16, 51, 50, 172, 173, 5, 0, 239, 119, 220, 43, 91, 0, 0, 0,
];

#[tokio::test]
async fn a_compressed_reply_settles() {
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 88\r\n\r\n";
    let server = Server::answering([head.as_bytes(), &COMPRESSED].concat());
    let limiter = limiter();
    let client = client(LimitLayer::new(&limiter));
    let response = send(&client, &server.url(PATH)).await.unwrap();
    assert_eq!(response.text().await.unwrap(), REPLY);
    assert_eq!(available(&limiter), 1_000 - 21);
}

#[tokio::test]
async fn an_extension_of_a_request_names_its_tenant() {
    let server = Server::answering(answer("200 OK", &[], REPLY));
    let tenants: Keyed<u64, RateLimiter> =
        plain(&ManualClock::new()).tokens(Rate::per_day(1_000)).keyed().build().unwrap();
    let account = limiter();
    let layer = LimitLayer::choose({
        let (tenants, account) = (tenants.clone(), account.clone());
        move |request| Some((tenants.of(request.extensions().get::<u64>()?), account.clone()))
    });
    let client = client(layer);
    for tenant in [1_u64, 2, 2] {
        let request = client.post(server.url(PATH)).header("content-type", JSON).body(CHAT);
        request.with_extension(tenant).send().await.unwrap().text().await.unwrap();
    }
    assert_eq!([1, 2].map(|tenant| available(&tenants.of(&tenant))), [1_000 - 21, 1_000 - 42]);
    assert_eq!(available(&account), 1_000 - 63);
}

#[tokio::test]
async fn a_dropped_request_leaves_nothing_behind() {
    let server = Server::answering(answer("200 OK", &[], "{}"));
    let limiter = limiter();
    let permit = limiter.try_acquire(900).unwrap();
    let client = client(LimitLayer::new(&limiter));
    let url = server.url(PATH);
    let waits = tokio::time::timeout(Duration::from_millis(50), send(&client, &url)).await;
    assert!(waits.is_err());
    assert_eq!(limiter.status().unwrap().waiting, 0);
    permit.cancel();
    assert_eq!(available(&limiter), 1_000);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_request_that_is_dropped_without_a_response_is_no_success() {
    let (answers, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let server = Server::start(move |_, _| _ = waits.lock().unwrap().recv());
    let adaptive = Concurrency::Adaptive(1..=8);
    let limiter = plain(&ManualClock::new()).tokens(Rate::per_day(1_000)).concurrency(adaptive);
    let limiter = limiter.build().unwrap();
    let (client, url) = (client(LimitLayer::new(&limiter)), server.url(PATH));
    let request = tokio::spawn(async move { send(&client, &url).await.map(drop) });
    while server.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    let in_flight = limiter.status().unwrap().in_flight.unwrap();
    assert_eq!((in_flight.calls, in_flight.most, available(&limiter)), (0, 1, 1_000 - 313));
    drop(answers);
}

#[tokio::test]
async fn errors_of_reqwest_are_judged_by_their_status() {
    for (status, expected) in
        [("429 Too Many Requests", Verdict::Retry { after: None }), ("404 rate limit", Verdict::NotLimited)]
    {
        // The words in the URL are not the provider's.
        let server = Server::answering(answer(status, &[], "{}"));
        let response = reqwest::get(server.url("/429/Too%20Many%20Requests/rate_limit")).await.unwrap();
        let error = reqwest_middleware::Error::from(response.error_for_status().unwrap_err());
        assert_eq!(Observation::from_error(&error).verdict(), expected);
    }
    let error = reqwest::get("http://127.0.0.1:1/429/rate_limit").await.unwrap_err();
    assert_eq!(Observation::from_error(&error).verdict(), Verdict::NotLimited);
    let none: Option<&AcquireError> = AcquireError::find(&error);
    assert!(none.is_none());
}
