//! reqwest's own retries, by the policy that asks the limiter: attempts at the server equal
//! acquires.

use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use openlimit::clients::{LimitLayer, reqwest_retries};
use openlimit::testing::ManualClock;
use openlimit::{Builder as Limiter, Concurrency, Cost, Output, Priority, Rate, RateLimiter, Redis, kind};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{Call, plain};
use reqwest::retry::Builder;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};

use super::client::http_client;
use super::reqwest::send;
use super::server::{Server, answer};
use super::suite::{
    CHAT, JSON, PATH, REPLY, available, counting, held, limiter, strict_provider, url_without_server,
};

const FAILED: &str = "500 Internal Server Error";

fn http(retries: Builder) -> reqwest::Client {
    // Installs the provider of cryptography.
    drop(http_client());
    reqwest::Client::builder().retry(retries).build().unwrap()
}

fn client(layer: LimitLayer) -> ClientWithMiddleware {
    client_with(reqwest_retries(), layer)
}

fn client_with(retries: Builder, layer: LimitLayer) -> ClientWithMiddleware {
    ClientBuilder::new(http(retries)).with(layer).build()
}

/// A server that answers the first requests with these statuses, and all others with a reply.
fn failing(statuses: &'static [&str]) -> Server {
    Server::start(move |number, stream| match statuses.get(number) {
        Some(status) => write(stream, &answer(status, &[], "{}")),
        None => write(stream, &answer("200 OK", &[], REPLY)),
    })
}

/// The client may hang up before it has read all of it.
fn write(stream: &mut TcpStream, answer: &[u8]) {
    drop(stream.write_all(answer));
}

/// Sends a request, and reads its reply to the end.
async fn status(client: &ClientWithMiddleware, server: &Server) -> u16 {
    let response = send(client, &server.url(PATH)).await.unwrap();
    let status = response.status().as_u16();
    response.text().await.unwrap();
    status
}

/// A limiter of requests that never refills.
fn of_requests() -> RateLimiter {
    plain(&ManualClock::new()).requests(Rate::per_day(1_000)).build().unwrap()
}

#[tokio::test]
async fn each_attempt_is_charged_and_the_last_one_settles() {
    let builder = || plain(&ManualClock::new()).tokens(Rate::per_day(1_000));
    for limiter in [
        limiter(),
        builder().output(Output::Learned).build().unwrap(),
        builder()
            .images(Rate::per_day(10))
            .requests(Rate::per_day(10))
            .input_tokens(Rate::per_day(100))
            .build()
            .unwrap(),
        builder().concurrency(1).build().unwrap(),
    ] {
        let server = failing(&[FAILED, "502 Bad Gateway"]);
        assert_eq!(status(&client(LimitLayer::new(&limiter)), &server).await, 200);
        assert_eq!((server.requests().len(), available(&limiter)), (3, 1_000 - 313 - 313 - 21));
        assert!(server.requests().iter().all(|request| request.ends_with(CHAT)));
    }
}

#[tokio::test]
async fn all_limiters_of_a_request_admit_each_attempt_or_none_does() {
    let (tenant, account) = (limiter(), limiter());
    let client = client(LimitLayer::new((&tenant, &account)));
    let server = failing(&[FAILED, FAILED, FAILED]);
    assert_eq!(status(&client, &server).await, 500);
    assert_eq!([available(&tenant), available(&account)], [1_000 - 3 * 313; 2]);
    for limiter in [&tenant, &account] {
        limiter.reset().unwrap();
    }
    drop(account.try_acquire(600).unwrap());
    let server = failing(&[FAILED]);
    assert_eq!(status(&client, &server).await, 500);
    assert_eq!((server.requests().len(), available(&tenant), available(&account)), (1, 687, 87));
}

#[tokio::test]
async fn a_response_goes_up_unchanged_where_the_limiter_has_no_room() {
    let limiter = limiter();
    drop(limiter.try_acquire(500).unwrap());
    let server = Server::answering(answer(FAILED, &[("x-marker", "kept")], "why"));
    let response = send(&client(LimitLayer::new(&limiter)), &server.url(PATH)).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-marker"]),
        (500, &"kept".parse().unwrap())
    );
    assert_eq!(response.text().await.unwrap(), "why");
    assert_eq!((server.requests().len(), available(&limiter)), (1, 500 - 313));
}

#[tokio::test]
async fn no_attempt_overtakes_a_call_that_waits_unless_by_its_priority() {
    for (priority, expected) in [(Priority::Normal, 1), (Priority::High, 2)] {
        let limiter = limiter();
        let (sees, waiter) = (limiter.clone(), Mutex::new(None));
        let server = Server::start(move |_, stream| {
            let mut waiter = waiter.lock().unwrap();
            let call = waiter.get_or_insert_with(|| Call::start(sees.acquire(900)));
            assert!(!call.poll());
            write(stream, &answer(FAILED, &[], "{}"));
        });
        let retries = reqwest_retries().max_retries_per_request(1);
        let client = client_with(retries, LimitLayer::new(&limiter).priority(priority));
        assert_eq!(status(&client, &server).await, 500);
        assert_eq!(server.requests().len(), expected);
        assert_eq!(available(&limiter), 1_000 - 313 * expected as u64);
    }
}

#[tokio::test]
async fn reqwests_count_and_budget_hold_and_what_they_stop_costs_nothing() {
    let unlimited = reqwest_retries().no_budget();
    for (retries, most) in [(reqwest_retries(), 3), (unlimited.max_retries_per_request(7), 8)] {
        let (limiter, server) = (of_requests(), Server::answering(answer(FAILED, &[], "{}")));
        assert_eq!(status(&client_with(retries, LimitLayer::new(&limiter)), &server).await, 500);
        assert_eq!((server.requests().len(), available(&limiter)), (most, 1_000 - most as u64));
    }
    // The budget begins with 100 attempts in ten seconds, and these would take 120.
    let (limiter, server) = (of_requests(), Server::answering(answer(FAILED, &[], "{}")));
    let client = client_with(reqwest_retries().max_extra_load(0.0), LimitLayer::new(&limiter));
    join_all((0..60).map(|_| status(&client, &server))).await;
    let sent = server.requests().len();
    assert!(sent < 180, "{sent}");
    assert_eq!(available(&limiter), 1_000 - sent as u64);
}

#[tokio::test]
async fn a_refusal_goes_up_and_holds() {
    for status in ["429 Too Many Requests", "503 Service Unavailable", "529 Overloaded"] {
        let limiter = limiter();
        let server = Server::answering(answer(status, &[("retry-after", "30")], "{}"));
        let response = send(&client(LimitLayer::new(&limiter)), &server.url(PATH)).await.unwrap();
        assert_eq!(response.status().as_str(), &status[..3]);
        assert_eq!((held(&limiter), server.requests().len()), (Some(30), 1));
        limiter.release().unwrap();
        assert_eq!(available(&limiter), 1_000 - 313);
    }
}

#[tokio::test]
async fn an_answer_that_stays_the_same_is_not_asked_for_again() {
    for answered in ["400 Bad Request", "401 Unauthorized", "404 Not Found", "201 Created"] {
        let (limiter, server) = (of_requests(), Server::answering(answer(answered, &[], "{}")));
        status(&client(LimitLayer::new(&limiter)), &server).await;
        assert_eq!((server.requests().len(), available(&limiter)), (1, 999));
    }
}

#[tokio::test]
async fn the_retries_of_a_strict_provider_above_it_are_counted() {
    let (provider, limiter) = strict_provider();
    let (layer, attempts) = counting(&limiter);
    let client = client(layer);
    let url = format!("{}/chat/completions", provider.url());
    let replies = join_all((0..8).map(|_| send(&client, &url))).await;
    assert!(replies.iter().any(|reply| reply.as_ref().unwrap().status() == 429));
    assert_eq!((provider.arrivals().len(), *attempts.lock().unwrap()), (8, 8));
}

#[tokio::test]
async fn a_connection_that_breaks_is_charged_and_the_request_sent_again() {
    let server = Server::start(|number, stream| match number {
        // Hangs up.
        0 => {}
        1 => write(stream, b"HTTP/1.1 200 OK\r\nx-cut: of"),
        _ => write(stream, &answer("200 OK", &[], REPLY)),
    });
    let limiter = limiter();
    assert_eq!(status(&client(LimitLayer::new(&limiter)), &server).await, 200);
    assert_eq!((server.requests().len(), available(&limiter)), (3, 1_000 - 313 - 313 - 21));
}

#[tokio::test]
async fn a_request_that_finds_no_server_costs_nothing() {
    let url = url_without_server();
    for limiter in [limiter(), plain(&ManualClock::new()).tokens(Rate::per_day(313)).build().unwrap()] {
        let before = available(&limiter);
        let error = send(&client(LimitLayer::new(&limiter)), &url).await.unwrap_err();
        assert!(error.is_connect());
        assert_eq!(available(&limiter), before);
    }
}

/// A limiter of requests that never refills, and bounds how many calls are in flight.
fn in_flight(concurrency: impl Into<Concurrency>) -> RateLimiter {
    let limiter = plain(&ManualClock::new()).requests(Rate::per_day(1_000));
    limiter.concurrency(concurrency).build().unwrap()
}

fn calls_in_flight(limiter: &RateLimiter) -> u32 {
    limiter.status().unwrap().in_flight.unwrap().calls
}

#[tokio::test]
async fn only_the_last_attempt_is_in_flight() {
    for concurrency in [1, 2] {
        let limiter = in_flight(concurrency);
        let (sees, seen) = (limiter.clone(), Arc::<Mutex<Vec<u32>>>::default());
        let server = Server::start({
            let seen = Arc::clone(&seen);
            move |_, stream| {
                seen.lock().unwrap().push(calls_in_flight(&sees));
                write(stream, &answer(FAILED, &[], "{}"));
            }
        });
        assert_eq!(status(&client(LimitLayer::new(&limiter)), &server).await, 500);
        assert_eq!(*seen.lock().unwrap(), [1, 1, 1]);
        assert_eq!((calls_in_flight(&limiter), available(&limiter)), (0, 997));
    }
}

#[tokio::test]
async fn each_limiter_of_a_request_has_only_its_last_attempt_in_flight() {
    let (tenant, account) = (in_flight(1), in_flight(1));
    let server = failing(&[FAILED, FAILED]);
    assert_eq!(status(&client(LimitLayer::new((&tenant, &account))), &server).await, 200);
    for limiter in [&tenant, &account] {
        assert_eq!((calls_in_flight(limiter), available(limiter)), (0, 997));
    }
}

#[tokio::test]
async fn attempts_whose_connections_break_follow_one_another_and_are_no_success() {
    // Hangs up.
    let server = Server::start(|_, _| {});
    let limiter = in_flight(Concurrency::Adaptive(1..=8));
    send(&client(LimitLayer::new(&limiter)), &server.url(PATH)).await.unwrap_err();
    assert_eq!((server.requests().len(), available(&limiter)), (3, 997));
    let in_flight = limiter.status().unwrap().in_flight.unwrap();
    assert_eq!((in_flight.calls, in_flight.most), (0, 1));
}

#[tokio::test]
async fn a_call_that_waits_for_the_failed_attempt_to_end_goes_before_the_next_one() {
    let limiter = in_flight(1);
    let waiter = Arc::<Mutex<Option<Call>>>::default();
    let server = Server::start({
        let (sees, waiter) = (limiter.clone(), Arc::clone(&waiter));
        move |_, stream| {
            let mut waiter = waiter.lock().unwrap();
            let call = waiter.get_or_insert_with(|| Call::start(sees.acquire(Cost::new())));
            assert!(!call.poll());
            write(stream, &answer(FAILED, &[], "{}"));
        }
    });
    assert_eq!(status(&client(LimitLayer::new(&limiter)), &server).await, 500);
    assert_eq!((server.requests().len(), calls_in_flight(&limiter)), (1, 1));
    assert!(waiter.lock().unwrap().as_mut().unwrap().poll());
}

#[tokio::test]
async fn an_attempt_that_the_budget_stops_is_not_in_flight() {
    let (limiter, server) = (in_flight(1), Server::answering(answer(FAILED, &[], "{}")));
    let client = client_with(reqwest_retries().max_extra_load(0.0), LimitLayer::new(&limiter));
    for _ in 0..60 {
        assert_eq!(status(&client, &server).await, 500);
        assert_eq!(calls_in_flight(&limiter), 0);
    }
    let sent = server.requests().len();
    assert!(sent > 60 && sent < 180, "{sent}");
    assert_eq!(available(&limiter), 1_000 - sent as u64);
}

/// A limiter that is shared through Redis.
fn shared(server: &RedisServer, settings: impl FnOnce(Redis) -> Redis) -> Limiter<kind::Explicit> {
    let rate = Rate::per_second(1_000).burst(Duration::from_secs(60));
    RateLimiter::builder().requests(rate).name("retries").redis(settings(Redis::new(server.url())))
}

#[tokio::test]
async fn over_redis_a_lease_has_room_for_the_next_attempt_also_where_one_call_may_be_in_flight() {
    let redis = RedisServer::start();
    let server = Server::answering(answer(FAILED, &[], "{}"));
    let leased = || shared(&redis, |redis| redis.lease(Duration::from_secs(20)));
    for limiter in [leased(), leased().concurrency(1), leased().concurrency(Concurrency::Adaptive(1..=8))] {
        let (limiter, before) = (limiter.build().unwrap(), server.requests().len());
        assert_eq!(status(&client(LimitLayer::new(&limiter)), &server).await, 500);
        assert_eq!(server.requests().len() - before, 3);
    }
}

#[tokio::test]
async fn over_redis_nothing_is_reserved_for_the_next_attempt_without_a_lease() {
    let redis = RedisServer::start();
    let server = Server::answering(answer(FAILED, &[], "{}"));
    let limiter = shared(&redis, |redis| redis).build().unwrap();
    assert_eq!(status(&client(LimitLayer::new(&limiter)), &server).await, 500);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn requests_that_one_task_polls_do_not_mix() {
    let small = plain(&ManualClock::new()).requests(Rate::per_day(9)).build().unwrap();
    let (large, server) = (of_requests(), Server::answering(answer(FAILED, &[], "{}")));
    let http = http(reqwest_retries());
    let clients = [&large, &small]
        .map(|limiter| ClientBuilder::new(http.clone()).with(LimitLayer::new(limiter)).build());
    let bare = ClientBuilder::new(http).build();
    let calls = (0..12).map(|call| match call % 3 {
        0 => status(&clients[0], &server),
        1 => status(&clients[1], &server),
        _ => status(&bare, &server),
    });
    assert_eq!(join_all(calls).await, [500; 12]);
    // Four calls of three attempts, nine attempts of four calls, and four calls that no limiter
    // counts.
    assert_eq!((available(&large), available(&small)), (1_000 - 12, 0));
    assert_eq!(server.requests().len(), 12 + 9 + 4);
}

#[tokio::test]
async fn a_request_that_is_dropped_keeps_the_charge_of_each_attempt() {
    let server = Server::start(|number, stream| match number {
        0 => write(stream, &answer(FAILED, &[], "{}")),
        _ => std::thread::sleep(Duration::from_secs(2)),
    });
    let limiter = limiter();
    let client = client(LimitLayer::new(&limiter));
    let url = server.url(PATH);
    let call = async {
        while server.requests().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = send(&client, &url) => panic!("it is not answered"),
        () = call => {}
    }
    assert_eq!(available(&limiter), 1_000 - 313 - 313);
}

#[tokio::test]
async fn a_request_that_no_limiter_admitted_is_not_sent_again() {
    let limiter = limiter();
    let client = client(LimitLayer::new(&limiter));
    let server = Server::answering(answer(FAILED, &[], "{}"));
    let models = client.get(server.url("/v1/models")).send().await.unwrap();
    let bare = http(reqwest_retries()).post(server.url(PATH)).header("content-type", JSON).body(CHAT);
    assert!(models.status() == 500 && bare.send().await.unwrap().status() == 500);
    assert_eq!((server.requests().len(), available(&limiter)), (2, 1_000));
}

#[tokio::test]
async fn a_request_that_passes_two_layers_is_not_sent_again() {
    let (inner, outer) = (of_requests(), of_requests());
    let layers = ClientBuilder::new(http(reqwest_retries())).with(LimitLayer::new(&outer));
    let server = Server::answering(answer(FAILED, &[], "{}"));
    assert_eq!(status(&layers.with(LimitLayer::new(&inner)).build(), &server).await, 500);
    assert_eq!((server.requests().len(), available(&inner), available(&outer)), (1, 999, 999));
}

#[tokio::test]
async fn a_redirected_request_is_sent_again_only_to_where_it_was_sent_first() {
    let server = Server::start(|number, stream| match number {
        0 | 2 => write(stream, &answer(FAILED, &[], "{}")),
        _ => write(stream, &answer("307 Temporary Redirect", &[("location", "/elsewhere")], "{}")),
    });
    let limiter = limiter();
    assert_eq!(status(&client(LimitLayer::new(&limiter)), &server).await, 500);
    let requests = server.requests();
    let paths = requests.iter().map(|request| request.split(' ').nth(1).unwrap());
    assert_eq!(paths.collect::<Vec<_>>(), [PATH, PATH, "/elsewhere"]);
    assert_eq!(available(&limiter), 1_000 - 313 - 313);
}

/// A middleware that sends a request of its own first, and then may panic.
struct Token {
    http: reqwest::Client,
    url: String,
    panics: bool,
}

#[async_trait::async_trait]
impl Middleware for Token {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        assert_eq!(self.http.post(&self.url).send().await?.status(), 500);
        assert!(!self.panics);
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn requests_of_other_middlewares_are_not_sent_again() {
    let tokens = Server::answering(answer(FAILED, &[], "{}"));
    let http = http(reqwest_retries());
    for panics in [false, true] {
        let (limiter, server) = (of_requests(), failing(&[FAILED]));
        let token = Token { http: http.clone(), url: tokens.url("/token"), panics };
        let client = ClientBuilder::new(http.clone()).with(LimitLayer::new(&limiter)).with(token).build();
        let url = server.url(PATH);
        let call = tokio::spawn(async move { send(&client, &url).await });
        assert_eq!(call.await.is_err(), panics);
        let expected = if panics { 0 } else { 2 };
        assert_eq!(
            (server.requests().len(), available(&limiter)),
            (expected, if panics { 999 } else { 998 })
        );
    }
    assert_eq!(tokens.requests().len(), 2);
    // Nothing is left of the call that panicked.
    assert_eq!(http.post(tokens.url(PATH)).send().await.unwrap().status(), 500);
    assert_eq!(tokens.requests().len(), 3);
}
