//! Tests of the strict provider's answers. No client can break or block the provider.

use std::io::{Read, Write};
use std::net::TcpStream;

use openlimit::testing::Provider;
use serde_json::{Value, json};
use ureq::http::Request;

use super::client::{Reply, post, send};

fn provider() -> Provider {
    Provider::builder().answer_tokens(20).start().expect("start failed")
}

fn call(provider: &Provider, path: &str, body: &Value) -> Reply {
    post(&format!("{}{path}", provider.url()), body)
}

fn params() -> Value {
    json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hi" }] })
}

fn connect(provider: &Provider) -> TcpStream {
    let url = provider.url();
    let address = url.trim_start_matches("http://").trim_end_matches("/v1");
    TcpStream::connect(address).expect("cannot connect")
}

/// Sends the raw `request` and returns everything received until the connection ends.
fn raw(provider: &Provider, request: &str) -> String {
    let mut stream = connect(provider);
    stream.write_all(request.as_bytes()).expect("cannot send");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("cannot read reply");
    reply
}

#[test]
fn a_chat_is_answered_with_its_usage() {
    let reply = call(&provider(), "/chat/completions", &params());
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let body = reply.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], "gpt-4o");
    assert_eq!(body["choices"][0]["message"]["role"], "assistant");
    assert!(body["choices"][0]["message"]["content"].as_str().is_some_and(|text| text.starts_with("It is ")));
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let usage = &body["usage"];
    assert_eq!(usage["completion_tokens"], 20);
    let prompt = usage["prompt_tokens"].as_u64().expect("count is missing");
    assert!(prompt > 0 && usage["total_tokens"] == prompt + 20);
}

#[test]
fn an_answer_never_exceeds_the_maximum_of_the_request() {
    let provider = provider();
    for (path, field) in [
        ("/chat/completions", "max_tokens"),
        ("/chat/completions", "max_completion_tokens"),
        ("/completions", "max_tokens"),
        ("/responses", "max_output_tokens"),
    ] {
        let mut body = params();
        body["prompt"] = json!("Hi");
        body["input"] = json!("Hi");
        body[field] = json!(7);
        let reply = call(&provider, path, &body).json();
        let usage = &reply["usage"];
        let output = usage.get("completion_tokens").or(usage.get("output_tokens"));
        assert_eq!(output, Some(&json!(7)), "{path} {field}");
    }
}

#[test]
fn n_answers_come_n_times() {
    let mut body = params();
    body["n"] = json!(3);
    let reply = call(&provider(), "/chat/completions", &body).json();
    assert_eq!(reply["choices"].as_array().map(Vec::len), Some(3));
    assert_eq!(reply["choices"][2]["index"], 2);
    assert_eq!(reply["usage"]["completion_tokens"], 60);
}

#[test]
fn completions_are_answered_for_each_prompt() {
    let body = json!({ "model": "gpt-3.5-turbo-instruct", "prompt": ["One", "Two"], "n": 2 });
    let reply = call(&provider(), "/completions", &body).json();
    assert_eq!(reply["object"], "text_completion");
    assert_eq!(reply["choices"].as_array().map(Vec::len), Some(4));
    assert_eq!(reply["usage"]["completion_tokens"], 80);
}

#[test]
fn embeddings_have_the_dimensions_that_were_asked_for() {
    let mut body = json!({ "model": "text-embedding-3-small", "input": ["One", "Two"], "dimensions": 3 });
    let provider = provider();
    let reply = call(&provider, "/embeddings", &body).json();
    assert_eq!(reply["data"][1]["embedding"], json!([1.0, 0.0, 0.0]));
    assert_eq!(reply["usage"]["prompt_tokens"], reply["usage"]["total_tokens"]);

    body["encoding_format"] = json!("base64");
    let reply = call(&provider, "/embeddings", &body).json();
    assert_eq!(reply["data"][0]["embedding"], "AACAPwAAAAAAAAAA");

    let tokens = json!({ "model": "text-embedding-3-small", "input": [1, 2, 3] });
    let reply = call(&provider, "/embeddings", &tokens).json();
    assert_eq!(reply["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(reply["data"][0]["embedding"].as_array().map(Vec::len), Some(1_536));
}

#[test]
fn responses_say_when_they_were_cut_short() {
    let body = json!({ "model": "gpt-4o", "input": "Hi", "max_output_tokens": 2 });
    let reply = call(&provider(), "/responses", &body).json();
    assert_eq!(reply["status"], "incomplete");
    assert_eq!(reply["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(reply["output"][0]["content"][0]["text"], "It is");
    assert_eq!(reply["usage"]["output_tokens"], 2);
}

#[test]
fn a_streamed_chat_ends_with_its_usage_and_done() {
    let mut body = params();
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    let reply = call(&provider(), "/chat/completions", &body);
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    let events: Vec<&str> = reply.text.split_terminator("\n\n").collect();
    let (done, events) = events.split_last().expect("no events");
    assert_eq!(*done, "data: [DONE]");
    let events: Vec<Value> = events
        .iter()
        .map(|event| serde_json::from_str(event.trim_start_matches("data: ")).expect("invalid JSON"))
        .collect();
    let deltas = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
    assert!(deltas.collect::<String>().starts_with("It is a truth"));
    let (usage, deltas) = events.split_last().expect("usage is missing");
    assert_eq!((&usage["choices"], &usage["usage"]["completion_tokens"]), (&json!([]), &json!(20)));
    assert!(deltas.iter().all(|event| event["usage"].is_null()));
}

#[test]
fn what_cannot_be_understood_is_refused_with_the_reason() {
    let provider = provider();
    let hi = json!([{ "role": "user", "content": "Hi" }]);
    let chat = "/chat/completions";
    for (path, body, param) in [
        (chat, json!([]), Value::Null),
        (chat, json!({ "messages": hi }), Value::Null),
        (chat, json!({ "model": 4, "messages": hi }), json!("model")),
        (chat, json!({ "model": "gpt-4o" }), json!("messages")),
        (chat, json!({ "model": "gpt-4o", "messages": "Hi" }), json!("messages")),
        (chat, json!({ "model": "gpt-4o", "messages": [] }), json!("messages")),
        (chat, json!({ "model": "gpt-4o", "messages": hi, "n": 0 }), json!("n")),
        (chat, json!({ "model": "gpt-4o", "messages": hi, "n": "2" }), json!("n")),
        (chat, json!({ "model": "gpt-4o", "messages": hi, "max_tokens": -1 }), json!("max_tokens")),
        (chat, json!({ "model": "gpt-4o", "messages": hi, "stream": "yes" }), json!("stream")),
        ("/completions", json!({ "model": "gpt-3.5-turbo-instruct" }), json!("prompt")),
        (
            "/completions",
            json!({ "model": "gpt-3.5-turbo-instruct", "prompt": "", "stream": true }),
            json!("stream"),
        ),
        ("/embeddings", json!({ "model": "text-embedding-3-small", "input": {} }), json!("input")),
        ("/embeddings", json!({ "model": "text-embedding-3-small", "input": [] }), json!("input")),
        ("/responses", json!({ "model": "gpt-4o", "input": null }), json!("input")),
    ] {
        let reply = call(&provider, path, &body);
        assert_eq!(reply.status, 400, "{path} {body}");
        let error = &reply.json()["error"];
        assert_eq!((&error["type"], &error["param"]), (&json!("invalid_request_error"), &param), "{body}");
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()));
    }
    assert_eq!((provider.admitted(), provider.refused()), (0, 0));
}

#[test]
fn broken_and_deeply_nested_json_is_refused() {
    let provider = provider();
    let url = format!("{}/chat/completions", provider.url());
    for body in ["", "{", "\u{0}", &"[".repeat(1_000_000)] {
        assert_eq!(send(Request::post(&url), body).status, 400);
    }
}

#[test]
fn unknown_paths_and_wrong_methods_are_named() {
    let provider = provider();
    let reply = call(&provider, "/chat", &params());
    assert_eq!(reply.status, 404);
    assert_eq!(reply.json()["error"]["message"], "Invalid URL (POST /v1/chat)");

    let reply = raw(&provider, "GET /v1/embeddings HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(reply.starts_with("HTTP/1.1 405 ") && reply.contains("\r\nallow: POST\r\n"), "{reply}");

    let reply = raw(&provider, "GET /v1/models?limit=1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(reply.starts_with("HTTP/1.1 200 ") && reply.contains(r#""id":"gpt-4o""#), "{reply}");
    assert_eq!(provider.arrivals().iter().map(|arrival| arrival.status).collect::<Vec<_>>(), [404, 405, 200]);
}

#[test]
fn a_wrong_key_is_refused_and_never_repeated() {
    let provider = Provider::builder().api_key("sk-right").start().expect("start failed");
    let url = format!("{}/chat/completions", provider.url());
    let body = params().to_string();
    assert_eq!(send(Request::post(&url), &body).status, 401);
    let wrong = send(Request::post(&url).header("authorization", "Bearer sk-wrong"), &body);
    assert_eq!((wrong.status, &wrong.json()["error"]["code"]), (401, &json!("invalid_api_key")));
    assert!(!wrong.text.contains("sk-wrong"));
    let right = send(Request::post(&url).header("authorization", "Bearer sk-right"), &body);
    assert_eq!(right.status, 200);
}

#[test]
fn a_body_above_the_limit_is_refused_before_it_is_sent() {
    let provider = provider();
    let head = "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: 99000000\r\n\r\n";
    assert!(raw(&provider, head).starts_with("HTTP/1.1 413 "));
    // A chunked body, which has no length, is refused too.
    let mut stream = connect(&provider);
    stream
        .write_all(b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        .expect("cannot send");
    let chunk = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    // The provider may close the connection before everything is sent.
    let _ = (0..17).try_for_each(|_| stream.write_all(&chunk));
    drop(stream);
    while provider.arrivals().len() < 2 {
        std::thread::yield_now();
    }
    assert!(provider.arrivals().iter().all(|arrival| arrival.status == 413));
}

#[test]
fn what_is_not_http_is_refused_and_the_next_call_answered() {
    let provider = provider();
    assert!(raw(&provider, "EHLO example.com\r\n\r\n").starts_with("HTTP/1.1 400 "));
    assert_eq!(call(&provider, "/chat/completions", &params()).status, 200);
}

#[test]
fn one_connection_serves_many_calls() {
    let body = params().to_string();
    let call = |connection| {
        let length = body.len();
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: {connection}\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
    };
    let replies = raw(&provider(), &(call("keep-alive") + &call("keep-alive") + &call("close")));
    assert_eq!(replies.matches("HTTP/1.1 200 ").count(), 3);
}

#[test]
fn dropping_it_ends_every_connection() {
    let provider = Provider::builder().latency(std::time::Duration::MAX).start().expect("start failed");
    let mut idle = connect(&provider);
    let mut unfinished = connect(&provider);
    unfinished
        .write_all(b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
        .expect("cannot send");
    let mut unanswered = connect(&provider);
    let body = params().to_string();
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    unanswered.write_all((head + &body).as_bytes()).expect("cannot send");
    while provider.arrivals().is_empty() {
        std::thread::yield_now();
    }
    drop(provider);
    for stream in [&mut idle, &mut unfinished, &mut unanswered] {
        // The connection either ends or is reset. No byte arrives.
        assert!(!matches!(stream.read(&mut [0]), Ok(1..)));
    }
}

#[test]
fn a_panicking_latency_is_a_server_error() {
    let provider = Provider::builder().latency_with(|| panic!("on purpose")).start().expect("start failed");
    for _ in 0..2 {
        let reply = call(&provider, "/chat/completions", &params());
        assert_eq!((reply.status, &reply.json()["error"]["type"]), (500, &json!("server_error")));
    }
}
