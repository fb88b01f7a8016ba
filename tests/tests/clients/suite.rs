//! What every adapter promises. Each function is a test of each client.

use std::io::Write;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use openlimit::clients::LimitLayer;
use openlimit::testing::{ManualClock, Provider};
use openlimit::{AcquireError, Concurrency, Cost, Rate, RateLimiter};
use openlimit_tests::{eventually, plain};

use super::client::{Client, Reply, Request};
use super::server::{Server, answer};

pub(crate) const PATH: &str = "/v1/chat/completions";
pub(crate) const JSON: &str = "application/json";

/// A request whose prompt is 13 tokens.
pub(crate) const CHAT: &str = r#"{"model": "gpt-4o", "max_completion_tokens": 300,
    "messages": [{"role": "user", "content": "Why is the sky blue?"}]}"#;

/// A reply that used 21 tokens.
pub(crate) const REPLY: &str =
    r#"{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}}"#;

/// A limiter whose buckets never refill: its clock stands still.
pub(crate) fn limiter() -> RateLimiter {
    plain(&ManualClock::new()).tokens(Rate::per_day(1_000)).build().unwrap()
}

pub(crate) fn available(limiter: &RateLimiter) -> u64 {
    limiter.status().unwrap().limits[0].available
}

pub(crate) fn held(limiter: &RateLimiter) -> Option<u64> {
    limiter.status().unwrap().hold.map(|hold| hold.ends_in.as_secs())
}

fn chat(url: &str) -> Request<'_> {
    Request { method: "POST", url, content_type: JSON, body: CHAT }
}

/// The names and values of headers.
fn headers(reply: &Reply) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    reply.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

pub(crate) fn requests_and_responses_are_unchanged<C: Client>(client: &C) {
    let large = "x".repeat(200_000);
    for (status, body) in [
        ("200 OK", REPLY),
        ("201 Created", ""),
        ("404 Not Found", r#"{"error": {"message": "no such model"}}"#),
        ("429 Too Many Requests", &large),
        ("500 Internal Server Error", &large),
        ("200 OK", &large),
    ] {
        let server = Server::answering(answer(status, &[("x-a", "1"), ("x-a", "2")], body));
        let url = server.url("/v1/chat/completions?a=b%20c");
        let plain = client.send(None, chat(&url)).unwrap();
        let limited = client.send(Some(LimitLayer::new(limiter())), chat(&url)).unwrap();
        assert_eq!(limited.status, plain.status);
        assert_eq!(headers(&limited), headers(&plain));
        assert_eq!(limited.body.as_deref().unwrap(), body);
        let requests = server.requests();
        assert!(requests[0].contains("x-marker: kept") && requests[0].ends_with(CHAT), "{}", requests[0]);
        assert_eq!(requests[0], requests[1]);
    }
}

pub(crate) fn a_reply_settles_the_call<C: Client>(client: &C) {
    let server = Server::answering(answer("200 OK", &[], REPLY));
    let limiter = limiter();
    client.send(Some(LimitLayer::new(&limiter)), chat(&server.url(PATH))).unwrap();
    assert_eq!(available(&limiter), 1_000 - 21);
}

pub(crate) fn a_reply_of_known_length_settles_with_its_last_byte<C: Client>(client: &C) {
    let server = Server::answering(answer("200 OK", &[], REPLY));
    let limiter = limiter();
    let mut read = 0;
    // What counts bytes, such as a proxy, does not ask for what comes after the last one.
    client.stream(LimitLayer::new(&limiter), chat(&server.url(PATH)), &mut |piece| {
        read += piece.len();
        read < REPLY.len()
    });
    assert_eq!(available(&limiter), 1_000 - 21);
}

pub(crate) fn headers_reach_the_limiter<C: Client>(client: &C) {
    let headers = [("x-ratelimit-limit-tokens", "1000"), ("x-ratelimit-remaining-tokens", "400")];
    let server = Server::answering(answer("200 OK", &headers, REPLY));
    let limiter = limiter();
    // The limiter counts what it admits from its first response on.
    for _ in 0..2 {
        client.send(Some(LimitLayer::new(&limiter)), chat(&server.url(PATH))).unwrap();
    }
    assert!(available(&limiter) <= 400, "{}", available(&limiter));
}

pub(crate) fn a_stream_arrives_piece_by_piece_and_settles<C: Client>(client: &C) {
    const HEAD: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let first = "data: {\"choices\": [{\"delta\": {\"content\": \"Why\"}}]}\n\n";
    let last = format!("data: {REPLY}\n\ndata: [DONE]\n\n");
    let (go_on, waits) = mpsc::channel::<()>();
    let (waits, end) = (Mutex::new(waits), last.clone());
    let server = Server::start(move |_, stream| {
        stream.write_all(HEAD).unwrap();
        stream.write_all(format!("{:x}\r\n{first}\r\n", first.len()).as_bytes()).unwrap();
        // The rest comes when the program has read the start.
        waits.lock().unwrap().recv().unwrap();
        stream.write_all(format!("{:x}\r\n{end}\r\n0\r\n\r\n", end.len()).as_bytes()).unwrap();
    });
    let limiter = limiter();
    let mut read = Vec::new();
    client.stream(LimitLayer::new(&limiter), chat(&server.url(PATH)), &mut |piece| {
        read.extend_from_slice(piece);
        if read == first.as_bytes() {
            assert_eq!(available(&limiter), 1_000 - 313);
            go_on.send(()).unwrap();
        }
        true
    });
    assert_eq!(String::from_utf8(read).unwrap(), format!("{first}{last}"));
    assert_eq!(available(&limiter), 1_000 - 21);
}

pub(crate) fn a_stream_that_is_not_read_to_its_end_keeps_its_charge<C: Client>(client: &C) {
    let server = Server::answering(answer("200 OK", &[], &format!("{}{REPLY}", " ".repeat(4_000_000))));
    let limiter = limiter();
    client.stream(LimitLayer::new(&limiter), chat(&server.url(PATH)), &mut |_| false);
    assert_eq!(available(&limiter), 1_000 - 313);
}

pub(crate) fn a_call_is_in_flight_until_its_reply_ends_or_is_dropped<C: Client>(client: &C) {
    let server = Server::answering(answer("200 OK", &[], &format!("{}{REPLY}", " ".repeat(4_000_000))));
    let limiter = plain(&ManualClock::new()).concurrency(1).build().unwrap();
    let in_flight = || limiter.status().unwrap().in_flight.unwrap().calls;
    for reads_on in [true, false, true] {
        let mut first = None;
        client.stream(LimitLayer::new(&limiter), chat(&server.url(PATH)), &mut |_| {
            first.get_or_insert_with(in_flight);
            reads_on
        });
        assert_eq!(first, Some(1));
        eventually("the end of the call", || in_flight() == 0);
    }
}

pub(crate) fn a_failed_call_is_not_in_flight_while_its_response_is_there<C: Client>(client: &C) {
    // So the next attempt of a client that keeps the response meanwhile does not wait for it.
    for status in ["500 Internal Server Error", "408 Request Timeout", "503 Service Unavailable"] {
        let server = Server::answering(answer(status, &[], &"x".repeat(200_000)));
        let limiter = plain(&ManualClock::new()).concurrency(1).build().unwrap();
        let mut seen = None;
        client.stream(LimitLayer::new(&limiter), chat(&server.url(PATH)), &mut |_| {
            seen = limiter.status().unwrap().in_flight;
            false
        });
        assert_eq!(seen.map(|in_flight| in_flight.calls), Some(0), "{status}");
    }
}

pub(crate) fn a_refusal_holds_all_calls_before_the_program_sees_it<C: Client>(client: &C) {
    let body = r#"{"error": {"message": "Please try again in 90s.", "code": "rate_limit_exceeded"}}"#;
    for (headers, expected) in [(&[("retry-after", "30")][..], 30), (&[], 90)] {
        let server = Server::answering(answer("429 Too Many Requests", headers, body));
        let limiter = limiter();
        let reply = client.send(Some(LimitLayer::new(&limiter)), chat(&server.url(PATH))).unwrap();
        assert_eq!((reply.status, reply.body.as_deref()), (429, Ok(body)));
        assert_eq!(held(&limiter), Some(expected));
        assert!(matches!(limiter.try_acquire(1), Err(AcquireError::Held { .. })));
    }
}

pub(crate) fn an_error_that_is_not_about_limits_holds_nothing<C: Client>(client: &C) {
    for status in ["400 Bad Request", "401 Unauthorized", "500 Internal Server Error"] {
        let body = r#"{"error": {"message": "wrong: tell me about the rate limit"}}"#;
        let server = Server::answering(answer(status, &[], body));
        let limiter = limiter();
        client.send(Some(LimitLayer::new(&limiter)), chat(&server.url(PATH))).unwrap();
        assert_eq!(held(&limiter), None);
        assert_eq!(available(&limiter), 1_000 - 313);
    }
}

pub(crate) fn a_request_that_fails_is_no_success<C: Client>(client: &C) {
    // Hangs up.
    let server = Server::start(|_, _| {});
    let adaptive = Concurrency::Adaptive(1..=8);
    let limiter = plain(&ManualClock::new()).tokens(Rate::per_day(1_000)).concurrency(adaptive);
    let limiter = limiter.build().unwrap();
    client.send(Some(LimitLayer::new(&limiter)), chat(&server.url(PATH))).unwrap_err();
    let in_flight = limiter.status().unwrap().in_flight.unwrap();
    assert_eq!((in_flight.calls, in_flight.most, available(&limiter)), (0, 1, 1_000 - 313));
}

pub(crate) fn a_request_that_fails_does_not_find_out_if_a_quota_is_back<C: Client>(client: &C) {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_day(1_000)).build().unwrap();
    let is_exhausted = || limiter.status().unwrap().hold.is_some_and(|hold| hold.is_exhausted);
    let used_up = answer("429 Too Many Requests", &[], r#"{"error": {"code": "insufficient_quota"}}"#);
    // It hangs up the second time.
    let server = Server::start(move |number, stream| match number {
        0 => stream.write_all(&used_up).unwrap(),
        1 => {}
        _ => stream.write_all(&answer("200 OK", &[], REPLY)).unwrap(),
    });
    for stays in [true, true, false] {
        let _ = client.send(Some(LimitLayer::new(&limiter)), chat(&server.url(PATH)));
        assert_eq!(is_exhausted(), stays);
        clock.advance(Duration::from_secs(600));
    }
}

pub(crate) fn a_request_without_a_limiter_is_untouched<C: Client>(client: &C) {
    let server = Server::answering(answer("429 Too Many Requests", &[("retry-after", "30")], "no"));
    let limiter = limiter();
    let url = server.url(PATH);
    let none = LimitLayer::choose(|_| None::<&RateLimiter>);
    let reply = client.send(Some(none), chat(&url)).unwrap();
    assert_eq!((reply.status, reply.body.as_deref()), (429, Ok("no")));
    // Neither a request without a body nor one of anything but JSON is limited.
    let get = Request { method: "GET", url: &url, content_type: JSON, body: "" };
    let upload = Request { content_type: "text/plain", ..chat(&url) };
    for request in [get, upload] {
        let reply = client.send(Some(LimitLayer::new(&limiter)), request).unwrap();
        assert_eq!((reply.status, reply.body.as_deref()), (429, Ok("no")));
    }
    assert_eq!((available(&limiter), held(&limiter)), (1_000, None));
    assert_eq!(server.requests().len(), 3);
}

pub(crate) fn a_request_that_counts_against_other_limits_is_untouched<C: Client>(client: &C) {
    let headers = [("retry-after", "30"), ("anthropic-ratelimit-requests-remaining", "0")];
    let server = Server::answering(answer("429 Too Many Requests", &headers, "no"));
    let limiter = limiter();
    for (path, body) in [
        ("/v1/messages/count_tokens", r#"{"model": "claude-sonnet-4-5", "messages": []}"#),
        ("/v1beta/models/gemini-2.5-pro:countTokens", r#"{"contents": []}"#),
        ("/v1/messages/batches", r#"{"requests": []}"#),
    ] {
        let request = Request { body, ..chat("") };
        let url = server.url(path);
        let reply = client.send(Some(LimitLayer::new(&limiter)), Request { url: &url, ..request }).unwrap();
        assert_eq!((reply.status, reply.body.as_deref()), (429, Ok("no")));
        assert!(server.requests().last().unwrap().ends_with(body));
    }
    assert_eq!((available(&limiter), held(&limiter)), (1_000, None));
}

pub(crate) fn several_limiters_admit_a_request_together<C: Client>(client: &C) {
    let server = Server::answering(answer("200 OK", &[], REPLY));
    let (tenant, account) = (limiter(), limiter());
    let layer = LimitLayer::new((&tenant, &account)).timeout(Duration::from_secs(1));
    client.send(Some(layer.clone()), chat(&server.url(PATH))).unwrap();
    assert_eq!([available(&tenant), available(&account)], [1_000 - 21; 2]);
    drop(account.try_acquire(900).unwrap());
    let error = client.send(Some(layer), chat(&server.url(PATH))).unwrap_err();
    assert!(matches!(AcquireError::find(&*error), Some(AcquireError::Timeout { .. })), "{error:?}");
    assert_eq!((available(&tenant), server.requests().len()), (1_000 - 21, 1));
}

pub(crate) fn a_request_that_is_not_admitted_is_not_sent<C: Client>(client: &C) {
    let server = Server::answering(answer("200 OK", &[], REPLY));
    let limiter = limiter();
    drop(limiter.try_acquire(900).unwrap());
    let layer = LimitLayer::new(&limiter).timeout(Duration::from_secs(1));
    let error = client.send(Some(layer), chat(&server.url(PATH))).unwrap_err();
    let found = AcquireError::find(&*error);
    assert!(matches!(found, Some(AcquireError::Timeout { .. })), "{error:?}");
    let wrong = Request { body: "{}", ..chat("") };
    let error = client.send(Some(LimitLayer::new(&limiter)), Request { url: &server.url(PATH), ..wrong });
    let error = error.unwrap_err();
    assert!(matches!(AcquireError::find(&*error), Some(AcquireError::Params { .. })), "{error:?}");
    assert!(server.requests().is_empty());
    assert_eq!(available(&limiter), 100);
}

pub(crate) fn a_request_waits_for_its_turn<C: Client>(client: &C) {
    let server = Server::answering(answer("200 OK", &[], REPLY));
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1)).build().unwrap();
    drop(limiter.try_acquire(Cost::new()).unwrap());
    thread::scope(|scope| {
        let layer = LimitLayer::new(&limiter).cost(|_| Some(Cost::new()));
        let url = server.url(PATH);
        let call = scope.spawn(move || client.send(Some(layer), chat(&url)).unwrap());
        eventually("the call to wait", || limiter.status().unwrap().waiting == 1);
        assert!(server.requests().is_empty());
        clock.advance(Duration::from_secs(1));
        assert_eq!(call.join().unwrap().status, 200);
    });
}

pub(crate) fn an_error_that_breaks_off_is_passed_on_and_still_holds<C: Client>(client: &C) {
    let cut = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 30\r\ncontent-length: 500\r\n\r\n{\"error\": ";
    let server = Server::answering(cut);
    let limiter = limiter();
    let plain = client.send(None, chat(&server.url(PATH))).unwrap();
    let limited = client.send(Some(LimitLayer::new(&limiter)), chat(&server.url(PATH))).unwrap();
    assert!(plain.body.is_err() && limited.body.is_err(), "{plain:?} {limited:?}");
    assert_eq!(held(&limiter), Some(30));
}

/// The start of the refusal of a server that gets stuck, and the rest of its body.
const STUCK: [&str; 2] = [r#"{"error": "#, r#"{"message": "Please try again in 90s."}}"#];

/// Returns the head of that refusal, with its first bytes.
fn stuck(header: &str) -> String {
    let [start, rest] = STUCK;
    let length = start.len() + rest.len();
    format!("HTTP/1.1 429 Too Many Requests\r\n{header}content-length: {length}\r\n\r\n{start}")
}

/// Sends a request to a server that gets stuck in a refusal. The server goes on when the client has
/// passed on the response, so a client that waits for the whole body hangs.
fn is_passed_on<C: Client>(client: &C, header: &str, judge: impl Fn(&RateLimiter)) {
    let head = stuck(header);
    let (go_on, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let server = Server::start(move |_, stream| {
        stream.write_all(head.as_bytes()).unwrap();
        if waits.lock().unwrap().recv().is_ok() {
            stream.write_all(STUCK[1].as_bytes()).unwrap();
        }
    });
    let limiter = limiter();
    let mut read = Vec::new();
    client.stream(LimitLayer::new(&limiter), chat(&server.url(PATH)), &mut |piece| {
        read.extend_from_slice(piece);
        if read == STUCK[0].as_bytes() {
            judge(&limiter);
            go_on.send(()).unwrap();
        }
        true
    });
    assert_eq!(String::from_utf8(read).unwrap(), STUCK.concat());
    judge(&limiter);
}

pub(crate) fn a_refusal_that_gets_stuck_holds_by_its_head_and_is_passed_on<C: Client>(client: &C) {
    is_passed_on(client, "retry-after: 30\r\n", |limiter| assert_eq!(held(limiter), Some(30)));
}

pub(crate) fn a_refusal_that_gets_stuck_holds_without_a_stated_wait<C: Client>(client: &C) {
    // The cost takes hours to flow back, so the longest hold counts.
    is_passed_on(client, "", |limiter| assert!(held(limiter).is_some_and(|secs| secs > 500)));
}

pub(crate) fn a_refusal_that_gets_stuck_may_break_off<C: Client>(client: &C) {
    let limiter = limiter();
    let sees = limiter.clone();
    let server = Server::start(move |_, stream| {
        stream.write_all(stuck("retry-after: 30\r\n").as_bytes()).unwrap();
        eventually("the limiter to be on hold", || held(&sees).is_some());
    });
    let reply = client.send(Some(LimitLayer::new(&limiter)), chat(&server.url(PATH))).unwrap();
    assert!(reply.status == 429 && reply.body.is_err(), "{reply:?}");
    assert_eq!(held(&limiter), Some(30));
}

pub(crate) fn a_refusal_whose_body_is_late_is_judged_by_it<C: Client>(client: &C) {
    let server = Server::start(|_, stream| {
        stream.write_all(stuck("").as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(50));
        stream.write_all(STUCK[1].as_bytes()).unwrap();
    });
    let limiter = limiter();
    let reply = client.send(Some(LimitLayer::new(&limiter)), chat(&server.url(PATH))).unwrap();
    assert_eq!(reply.body.unwrap(), STUCK.concat());
    assert_eq!(held(&limiter), Some(90));
}

pub(crate) fn a_body_counts_beside_a_head_that_states_the_wait<C: Client>(client: &C) {
    let body = r#"{"error": {"message": "no", "code": "insufficient_quota"}}"#;
    let server = Server::answering(answer("429 Too Many Requests", &[("retry-after", "30")], body));
    let limiter = limiter();
    client.send(Some(LimitLayer::new(&limiter)), chat(&server.url(PATH))).unwrap();
    assert!(limiter.status().unwrap().hold.unwrap().is_exhausted);
}

pub(crate) fn hostile_responses_do_no_harm<C: Client>(client: &C) {
    let long = "9".repeat(5_000);
    let headers = [
        ("retry-after", "99999999999999999999999999"),
        ("retry-after-ms", "-1"),
        ("x-ratelimit-remaining-tokens", "-1"),
        ("x-ratelimit-limit-tokens", "0"),
        ("x-ratelimit-reset-tokens", &long),
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ];
    let deep = "{\"error\":".repeat(50_000);
    for status in ["200 OK", "429 Too Many Requests", "529 Overloaded", "599 Odd", "204 No Content"] {
        for body in ["", "\u{0}\u{0}", &deep, "{\"usage\": {\"total_tokens\": 99999999999999999999}}"] {
            let server = Server::answering(answer(status, &headers, body));
            let limiter = limiter();
            let reply = client.send(Some(LimitLayer::new(&limiter)), chat(&server.url(PATH)));
            // An answer of status 204 has no body, so what follows it is no HTTP.
            assert!(reply.is_ok() || status.starts_with("204"), "{reply:?}");
            assert!(held(&limiter).is_none_or(|secs| secs <= 600), "{:?}", held(&limiter));
        }
    }
}

/// Returns a URL on which nothing listens.
pub(crate) fn url_without_server() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}{PATH}", listener.local_addr().unwrap())
}

pub(crate) fn a_request_that_finds_no_server_costs_nothing<C: Client>(client: &C) {
    let limiter = limiter();
    client.send(Some(LimitLayer::new(&limiter)), chat(&url_without_server())).unwrap_err();
    assert_eq!(available(&limiter), 1_000);
}

/// Counts the attempts that pass a layer.
pub(crate) fn counting(limiter: &RateLimiter) -> (LimitLayer, Arc<Mutex<usize>>) {
    let count = Arc::<Mutex<usize>>::default();
    let (limiter, counter) = (limiter.clone(), Arc::clone(&count));
    let layer = LimitLayer::choose(move |_| {
        *counter.lock().unwrap() += 1;
        Some(limiter.clone())
    });
    (layer, count)
}

/// A provider that allows ten requests a second, one at once, and a limiter that believes in 1 000.
pub(crate) fn strict_provider() -> (Provider, RateLimiter) {
    let tight = Rate::per_second(10).burst(Duration::from_millis(100));
    let provider = Provider::builder().requests(tight).start().unwrap();
    (provider, RateLimiter::builder().requests(Rate::per_second(1_000)).build().unwrap())
}

/// Makes the tests of a client.
macro_rules! suite {
    ($client:expr; $($test:ident),+ $(,)?) => {$(
        #[test]
        fn $test() {
            super::suite::$test(&$client);
        }
    )+};
    ($client:expr) => {
        suite!($client;
            requests_and_responses_are_unchanged,
            a_reply_settles_the_call,
            a_reply_of_known_length_settles_with_its_last_byte,
            headers_reach_the_limiter,
            a_stream_arrives_piece_by_piece_and_settles,
            a_stream_that_is_not_read_to_its_end_keeps_its_charge,
            a_call_is_in_flight_until_its_reply_ends_or_is_dropped,
            a_failed_call_is_not_in_flight_while_its_response_is_there,
            a_refusal_holds_all_calls_before_the_program_sees_it,
            an_error_that_is_not_about_limits_holds_nothing,
            a_request_that_fails_is_no_success,
            a_request_that_fails_does_not_find_out_if_a_quota_is_back,
            a_request_without_a_limiter_is_untouched,
            a_request_that_counts_against_other_limits_is_untouched,
            several_limiters_admit_a_request_together,
            a_request_that_is_not_admitted_is_not_sent,
            a_request_waits_for_its_turn,
            an_error_that_breaks_off_is_passed_on_and_still_holds,
            a_refusal_that_gets_stuck_holds_by_its_head_and_is_passed_on,
            a_refusal_that_gets_stuck_holds_without_a_stated_wait,
            a_refusal_that_gets_stuck_may_break_off,
            a_body_counts_beside_a_head_that_states_the_wait,
            a_refusal_whose_body_is_late_is_judged_by_it,
            hostile_responses_do_no_harm,
        );
    };
}
pub(crate) use suite;
