//! ureq, whose errors lose the headers of a refusal.

use std::io::Write;
use std::sync::{Mutex, mpsc};

use openlimit::clients::LimitLayer;
use openlimit::feedback::{Observation, Verdict};
use openlimit::{AcquireError, RateLimiter};
use ureq::Agent;

use super::client::Ureq;
use super::server::{Server, answer};
use super::suite::{CHAT, JSON, PATH, REPLY, available, counting, limiter, strict_provider, suite};

suite!(Ureq);
suite!(Ureq; a_request_that_finds_no_server_costs_nothing);

fn agent(limiter: &RateLimiter) -> Agent {
    Agent::config_builder().middleware(LimitLayer::new(limiter)).build().into()
}

#[test]
fn the_headers_of_a_refusal_are_read_although_ureq_drops_them() {
    let server = Server::answering(answer("429 Too Many Requests", &[("retry-after", "30")], "{}"));
    let limiter = limiter();
    let error = agent(&limiter).post(server.url(PATH)).content_type(JSON).send(CHAT).unwrap_err();
    assert!(matches!(error, ureq::Error::StatusCode(429)), "{error:?}");
    let hold = limiter.status().unwrap().hold.unwrap();
    assert_eq!(hold.ends_in.as_secs(), 30);
    assert_eq!(Observation::from_error(&error).verdict(), Verdict::Retry { after: None });
}

#[test]
fn an_agent_without_a_timeout_passes_on_a_refusal_whose_body_never_comes() {
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let server = Server::start(move |_, stream| {
        stream.write_all(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 9\r\n\r\n").unwrap();
        // Until the test is over.
        ended.lock().unwrap().recv().unwrap_err();
    });
    let limiter = limiter();
    let error = agent(&limiter).post(server.url(PATH)).content_type(JSON).send(CHAT).unwrap_err();
    assert!(matches!(error, ureq::Error::StatusCode(429)), "{error:?}");
    assert!(limiter.status().unwrap().hold.is_some());
    drop(end);
}

#[test]
fn a_request_of_any_form_is_counted() {
    let server = Server::answering(answer("200 OK", &[], REPLY));
    let json: serde_json::Value = serde_json::from_str(CHAT).unwrap();
    let limiter = limiter();
    let agent = agent(&limiter);
    let url = server.url(PATH);
    let post = || agent.post(&url).content_type(JSON);
    let mut reader = CHAT.as_bytes();
    for response in [
        agent.post(&url).send_json(&json),
        post().send(CHAT),
        post().send(CHAT.to_owned()),
        post().send(CHAT.as_bytes()),
        post().send(ureq::SendBody::from_reader(&mut reader)),
    ] {
        let reply: serde_json::Value = response.unwrap().body_mut().read_json().unwrap();
        assert_eq!(reply["usage"]["total_tokens"], 21);
    }
    assert_eq!(available(&limiter), 1_000 - 5 * 21);
}

/// Returns what ureq knows of the body of an answer, and its text.
fn known(agent: &Agent, server: &Server) -> [Option<String>; 4] {
    let mut response = agent.post(server.url(PATH)).content_type(JSON).send(CHAT).unwrap();
    let body = response.body_mut();
    let [mime_type, charset] = [body.mime_type(), body.charset()].map(|text| text.map(str::to_owned));
    let length = body.content_length().map(|length| length.to_string());
    [mime_type, charset, length, body.read_to_string().ok()]
}

#[test]
fn what_ureq_knows_of_a_body_is_kept() {
    let json = |length| format!("{REPLY}{}", " ".repeat(length));
    for (content_type, body) in [
        ("application/json", json(0)),
        ("application/json; charset=utf-8", json(100_000)),
        ("application/problem+json", json(3_000_000)),
        ("text/plain; charset=UTF-8", "a text".to_owned()),
        ("application/xml; charset=iso-8859-1", "<no text=''/>".to_owned()),
        ("audio/mpeg", "no text".to_owned()),
        ("", "of no type".to_owned()),
    ] {
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
        let server = Server::answering(head + &body);
        let plain = known(&Agent::new_with_defaults(), &server);
        assert_eq!(plain[2], Some(length.to_string()));
        assert_eq!(known(&agent(&limiter()), &server), plain, "{content_type}");
    }
}

#[test]
fn a_text_is_converted_once() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=iso-8859-1\r\ncontent-length: 4\r\n\r\n";
    let server = Server::answering([head.as_bytes(), b"caf\xe9"].concat());
    assert_eq!(known(&agent(&limiter()), &server)[3].as_deref(), Some("caf\u{e9}"));
}

#[test]
fn each_attempt_of_a_program_that_retries_is_counted() {
    let (provider, limiter) = strict_provider();
    let (layer, attempts) = counting(&limiter);
    let agent: Agent = Agent::config_builder().middleware(layer).build().into();
    let url = format!("{}/chat/completions", provider.url());
    // ureq has no retries of its own.
    let call = || loop {
        match agent.post(&url).content_type(JSON).send(CHAT) {
            Err(ureq::Error::StatusCode(429)) => {}
            response => return response.unwrap().status(),
        }
    };
    std::thread::scope(|scope| {
        let calls = [(); 8].map(|()| scope.spawn(call));
        calls.into_iter().for_each(|call| assert_eq!(call.join().unwrap(), 200));
    });
    assert_eq!(provider.arrivals().len(), *attempts.lock().unwrap());
    // Each is sent again at once, and still waits for the end of the hold.
    let refused = provider.refused();
    assert!((1..60).contains(&refused), "{refused}");
}

#[test]
fn the_error_of_a_limiter_is_ureqs_other_error() {
    let limiter = limiter();
    let error = agent(&limiter).post("http://127.0.0.1:1/v1/embeddings").content_type(JSON).send("[]");
    let error = error.unwrap_err();
    let ureq::Error::Other(inner) = &error else { panic!("{error:?}") };
    assert!(inner.is::<AcquireError>());
    assert!(AcquireError::find(&error).is_some());
}
