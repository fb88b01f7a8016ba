//! What goes wrong on a network: bodies that come later than their heads, and connections that are
//! reset.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use openlimit::testing::Provider;
use openlimit_tests::{millis, secs};

use super::ask::{chat, on_clock, params};

/// Sends a chat, and returns the connection.
fn send(provider: &Provider) -> TcpStream {
    let mut stream =
        TcpStream::connect(provider.origin().trim_start_matches("http://")).expect("cannot connect");
    stream.set_read_timeout(Some(secs(20))).expect("a timeout");
    let body = params().to_string();
    let length = body.len();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all((head + &body).as_bytes()).expect("cannot send");
    stream
}

/// Reads everything until the connection ends in one way or another.
fn read(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    match stream.read_to_end(&mut text) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    String::from_utf8(text).expect("it is text")
}

#[test]
fn the_head_comes_before_the_body() {
    let provider = Provider::builder().body_latency(Duration::MAX).start().expect("start failed");
    let mut stream = send(&provider);
    let mut head = [0; 15];
    stream.read_exact(&mut head).expect("the head comes at once");
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    drop(provider);
    // The body never comes.
    assert!(!read(stream).contains("chatcmpl"));
}

#[test]
fn the_body_comes_in_the_end() {
    let provider =
        Provider::builder().latency(millis(20)).body_latency(millis(30)).start().expect("start failed");
    let start = Instant::now();
    let reply = read(send(&provider));
    assert!(start.elapsed() >= millis(50));
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert!(body.contains("chatcmpl") && body.ends_with('}'), "{body}");
}

#[test]
fn every_second_connection_is_reset_in_the_middle_of_its_body() {
    let provider = Provider::builder().cut_every(2).start().expect("start failed");
    for is_cut in [false, true, false, true] {
        let reply = read(send(&provider));
        assert!(reply.starts_with("HTTP/1.1 200 OK") && reply.contains("chatcmpl"), "{reply}");
        // Neither a length nor a last chunk says that it is complete.
        let is_complete = reply.contains("content-length: ") || reply.ends_with("0\r\n\r\n");
        assert_eq!(is_complete, !is_cut, "{reply}");
    }
    // The calls were served, and charged.
    assert_eq!(provider.admitted(), 4);
}

#[test]
fn without_a_network_a_reply_says_that_it_is_cut() {
    let (whole, _clock) = on_clock(Provider::builder());
    let (cut, _clock) = on_clock(Provider::builder().cut_every(1));
    let (whole, cut) = (chat(&whole), chat(&cut));
    assert!(!whole.is_cut() && cut.is_cut());
    assert_eq!(cut.body(), &whole.body()[..whole.body().len() / 2]);
}
