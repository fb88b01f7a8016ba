//! Tests of the price of a request whose bytes are at hand: the path says how to read them.

use openlimit::{
    AcquireError, ChatRateLimiter, CompletionRateLimiter, Cost, Dimension, EmbeddingRateLimiter, Rate,
    RateLimiter, ResponsesRateLimiter, kind, limiter, tokens,
};
use serde_json::{Value, json};

fn any() -> RateLimiter {
    RateLimiter::builder().tokens(Rate::per_minute(40_000)).build().expect("valid limits")
}

fn of_kind<K>() -> openlimit::Limiter<K> {
    openlimit::Limiter::builder().tokens(Rate::per_minute(40_000)).build().expect("valid limits")
}

fn chat(model: &str) -> Value {
    json!({
        "messages": [{ "role": "user", "content": "Why is \"the sky\" blue?\n\u{e9}" }],
        "model": model,
        "max_completion_tokens": 300,
        "stream": true,
    })
}

#[track_caller]
fn problem(result: Result<Cost, AcquireError>) -> String {
    match result {
        Err(AcquireError::Params { error, .. }) => error.to_string(),
        other => panic!("expected an error of the params, found {other:?}"),
    }
}

#[test]
fn each_kind_of_request_costs_what_its_params_cost() {
    let text = "a sentence of some words";
    let completion = json!({ "model": "gpt-3.5-turbo-instruct", "prompt": text, "max_tokens": 9, "n": 2 });
    let embedding = json!({ "model": "text-embedding-3-small", "input": [text, text] });
    let response = json!({ "model": "gpt-4o", "input": text, "max_output_tokens": 50 });
    for (path, params, cost) in [
        ("/v1/chat/completions", chat("gpt-4o"), tokens::chat(&chat("gpt-4o"))),
        ("/v1/completions", completion.clone(), tokens::completion(&completion)),
        ("/v1/embeddings", embedding.clone(), tokens::embedding(&embedding)),
        ("/v1/responses", response.clone(), tokens::responses(&response)),
    ] {
        let cost = cost.expect("valid params");
        let body = params.to_string();
        assert_eq!(any().cost_of_body(path, body.as_bytes()).expect("valid"), cost, "{path}");
        // Indented, too, below the path of a gateway, and with a query.
        let body = format!("\n {params:#} ");
        let path = format!("https://gateway.example/openai{path}/?api-version=2024-10-21");
        assert_eq!(any().cost_of_body(&path, body.as_bytes()).expect("valid"), cost, "{path}");
    }
}

#[test]
fn the_path_names_the_model_where_the_body_does_not() {
    let path = |model: &str| format!("/openai/deployments/{model}/chat/completions?api-version=2024-10-21");
    let without = json!({
        "messages": [{ "role": "user", "content": "Größenordnungsmäßig: 数十億年" }],
    });
    let with = |model: &str| {
        let mut params = without.clone();
        params["model"] = model.into();
        tokens::chat(&params).expect("valid params")
    };
    assert_ne!(with("gpt-4"), with("gpt-4o"));
    let body = without.to_string();
    for model in ["gpt-4", "gpt-4o"] {
        assert_eq!(any().cost_of_body(&path(model), body.as_bytes()).expect("valid"), with(model));
    }
    let mut named = without.clone();
    named["model"] = "gpt-4".into();
    let cost = any().cost_of_body(&path("gpt-4o"), named.to_string().as_bytes());
    assert_eq!(cost.expect("valid"), with("gpt-4"));
    named["model"] = Value::Null;
    let cost = any().cost_of_body(&path("gpt-4o"), named.to_string().as_bytes());
    assert_eq!(cost.expect("valid"), with("gpt-4o"));
}

#[test]
fn a_limiter_of_one_kind_reads_its_own_and_says_where_others_belong() {
    let body = chat("gpt-4o").to_string();
    let chats: ChatRateLimiter = of_kind();
    let cost = tokens::chat(&chat("gpt-4o")).expect("valid params");
    for path in ["/v1/chat/completions", "/some/path/of/a/gateway", ""] {
        assert_eq!(chats.cost_of_body(path, body.as_bytes()).expect("valid"), cost, "{path}");
    }
    let error = problem(chats.cost_of_body("/v1/embeddings", b"{}"));
    assert!(error.contains("`/embeddings`") && error.contains("`EmbeddingRateLimiter`"), "{error}");
    assert!(of_kind::<kind::Completion>().cost_of_body("/v1/completions", br#"{"prompt": "a"}"#).is_ok());
    let error = problem(CompletionRateLimiter::cost_of_body(&of_kind(), "/v1/responses", b"{}"));
    assert!(error.contains("`ResponsesRateLimiter`"), "{error}");
    let error = problem(EmbeddingRateLimiter::cost_of_body(&of_kind(), "/v1/embeddings", b"{}"));
    assert!(error.contains("`input`"), "{error}");
    let error = problem(ResponsesRateLimiter::cost_of_body(&of_kind(), "/v1/chat/completions", b"{}"));
    assert!(error.contains("`ChatRateLimiter`"), "{error}");
}

#[test]
fn a_plain_limiter_must_know_the_path_and_does_not_repeat_it() {
    let error = problem(any().cost_of_body("/v1/secret-token/images", b"{}"));
    assert!(error.contains("`/chat/completions`") && !error.contains("secret"), "{error}");
}

#[test]
fn a_message_that_is_added_to_a_thread_is_no_request_of_anthropics() {
    let message = json!({ "role": "user", "content": "Why is the sky blue?" }).to_string();
    let cost = any().cost_of_body("/v1/threads/thread_abc/messages", message.as_bytes()).expect("no cost");
    assert_eq!([Dimension::Requests, Dimension::Tokens].map(|dimension| cost.amount(&dimension)), [0, 0]);
    let error = problem(any().cost_of_body("/v1/threads/thread_abc/runs", b"{}"));
    assert!(error.contains("expected a path that ends with") && error.contains("give the cost"), "{error}");
    let messages = json!({ "model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [] }).to_string();
    any().cost_of_body("/anthropic/v1/messages", messages.as_bytes()).expect("a request for an answer");
}

#[test]
fn a_request_that_counts_against_other_limits_costs_nothing_at_any_limiter() {
    let body = json!({ "model": "claude-sonnet-4-5", "messages": [] }).to_string();
    let path = "/v1/messages/count_tokens";
    let chats: ChatRateLimiter = of_kind();
    let spend = RateLimiter::builder().spend(openlimit::Dollars(1) / openlimit::Unit::day).build();
    let spend = spend.expect("valid limits");
    let free = |cost: Result<Cost, AcquireError>| {
        let cost = cost.expect("no cost");
        drop(chats.try_acquire(&cost).expect("it takes nothing"));
        drop(spend.try_acquire(&cost).expect("it is free"));
    };
    free(chats.cost_of_body(path, body.as_bytes()));
    free(any().cost_of_body(path, body.as_bytes()));
    free(spend.cost_of_body("/v1/moderations", b"\xff"));
}

#[test]
fn wrong_shapes_are_errors_of_the_params() {
    let path = "/v1/chat/completions";
    for (body, part) in [
        (&b""[..], "`messages`"),
        (b"{}", "`messages`"),
        (b"[]", "a map of fields"),
        (b"\"text\"", "a map of fields"),
        (b"<html>", "a map of fields"),
        (b"{\"messages\": 5}", "`messages`"),
        (b"{\"messages\": [], \"max_tokens\": \"a\"}", "`max_tokens`"),
        (b"{\"messages\": [], \"max_tokens\": -1}", "`max_tokens`"),
        (b"\xff{}", "not UTF-8"),
    ] {
        let error = problem(any().cost_of_body(path, body));
        assert!(error.contains(part), "{error}");
        let azure = problem(any().cost_of_body("/openai/deployments/gpt-4/chat/completions", body));
        assert_eq!(azure, error);
    }
}

#[test]
fn a_number_beyond_all_floats_is_a_number() {
    let of = |number: &str| {
        let body = format!(r#"{{"messages": [], "max_tokens": {number}}}"#);
        any().cost_of_body("/v1/chat/completions", body.as_bytes())
    };
    let cost = of("1e999").expect("as large as can be");
    assert_eq!(cost.amount(&Dimension::OutputTokens), u64::MAX);
    let problem = problem(of("-1e999"));
    assert!(problem.contains("expected a non-negative integer, found -3"), "{problem}");
}

#[test]
fn options_of_the_limiter_count() {
    limiter! {
        static CHAT: ChatRateLimiter = { tokens: 40_000 / minute, default_output: 1_000 };
    }
    let body = json!({ "model": "gpt-4o", "messages": [] }).to_string();
    let cost = CHAT.cost_of_body("/v1/chat/completions", body.as_bytes()).expect("valid");
    assert_eq!(cost.amount(&Dimension::OutputTokens), 1_000);
}

#[test]
fn a_limiter_that_cannot_be_built_says_so() {
    limiter! {
        static BROKEN: RateLimiter = { tokens: Rate::per_minute(0) };
    }
    let error = BROKEN.cost_of_body("/v1/chat/completions", b"{}").expect_err("a rate of zero");
    assert!(matches!(error, AcquireError::Build(_)), "{error}");
}

#[test]
fn hostile_bodies_take_linear_time() {
    // At any worse than linear time, these would take minutes.
    for piece in [
        "{\"messages\":[",
        "[",
        "{\"a\":",
        "{\"messages\":[{\"content\":\"",
        "\"",
        "{,",
        "\\\"",
        "{\"messages\":{\"messages\":",
    ] {
        let body = piece.repeat(2_000_000 / piece.len());
        let _ = any().cost_of_body("/v1/chat/completions", body.as_bytes());
        let _ = any().cost_of_body("/openai/deployments/m/chat/completions", body.as_bytes());
        let _ = any().cost_of_body(&body, b"{}");
    }
}
