//! Which limiter a layer chooses, and what a request costs it.

use http::{Extensions, HeaderMap, HeaderValue, Method};
use openlimit::clients::{AnyLimiter, LimitLayer, Outgoing};
use openlimit::testing::ManualClock;
use openlimit::{
    Acquire, AcquireError, ChatRateLimiter, Cost, EmbeddingRateLimiter, Output, Permit, Priority, Rate,
    RateLimiter, Usage,
};
use openlimit_tests::{Call, secs};

const CHAT: &str = r#"{"model": "gpt-4o", "max_completion_tokens": 100, "messages": []}"#;

/// A request of JSON.
struct Sent<'a> {
    method: Method,
    path: &'a str,
    content_type: &'static str,
    body: Option<&'a str>,
}

impl<'a> Sent<'a> {
    fn post(path: &'a str, body: &'a str) -> Self {
        Self { method: Method::POST, path, content_type: "application/json", body: Some(body) }
    }

    fn acquire(&self, layer: &LimitLayer) -> Result<Option<Permit>, AcquireError> {
        self.pending(layer)?.map(Acquire::blocking).transpose()
    }

    fn pending(&self, layer: &LimitLayer) -> Result<Option<Acquire>, AcquireError> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(self.content_type));
        let extensions = Extensions::new();
        let body = self.body.map(str::as_bytes);
        let outgoing = Outgoing::new(&self.method, "localhost", self.path, &headers, &extensions, body);
        layer.acquire(&outgoing)
    }
}

fn tokens(permit: &Permit) -> u64 {
    permit.cost().amount(&openlimit::Dimension::Tokens)
}

fn any() -> RateLimiter {
    RateLimiter::builder().tokens(Rate::per_day(1_000_000)).build().unwrap()
}

#[test]
fn json_is_limited_and_everything_else_passes() {
    let layer = LimitLayer::new(any());
    let chat = "/v1/chat/completions";
    for content_type in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"] {
        let sent = Sent { content_type, ..Sent::post(chat, CHAT) };
        assert!(sent.acquire(&layer).unwrap().is_some(), "{content_type}");
    }
    for content_type in ["multipart/form-data; boundary=json", "text/plain", "json", ""] {
        let sent = Sent { content_type, ..Sent::post(chat, CHAT) };
        assert!(sent.acquire(&layer).unwrap().is_none(), "{content_type}");
    }
    // As a GET has it, with a default content type.
    assert!(Sent { method: Method::GET, ..Sent::post("/v1/models", "") }.acquire(&layer).unwrap().is_none());
    assert!(Sent::post("/v1/responses/resp_1/cancel", " \n").acquire(&layer).unwrap().is_none());
}

#[test]
fn json_that_cannot_be_priced_is_an_error() {
    let layer = LimitLayer::new(any());
    for sent in [
        Sent::post("/v1/images/generations", "{}"),
        Sent::post("/v1/chat/completions", "{}"),
        Sent { body: None, ..Sent::post("/v1/chat/completions", "") },
    ] {
        let error = sent.acquire(&layer).unwrap_err();
        assert!(matches!(error, AcquireError::Params { .. }), "{error}");
    }
}

#[test]
fn a_given_cost_is_taken_and_none_means_that_the_body_says_it() {
    let layer = LimitLayer::new(any())
        .cost(|request| request.path().ends_with("/images/generations").then(|| Cost::new().tokens(7)));
    let permit = Sent::post("/v1/images/generations", "{}").acquire(&layer).unwrap().unwrap();
    assert_eq!(tokens(&permit), 7);
    let stream = Sent { body: None, content_type: "", ..Sent::post("/images/generations", "") };
    assert_eq!(tokens(&stream.acquire(&layer).unwrap().unwrap()), 7);
    let permit = Sent::post("/v1/chat/completions", CHAT).acquire(&layer).unwrap().unwrap();
    assert!(tokens(&permit) > 100);
}

#[test]
fn a_function_chooses_the_limiter_by_model_and_path() {
    let named =
        |name: &str| ChatRateLimiter::builder().name(name.to_owned()).tokens(Rate::per_day(9_000)).build();
    let (large, small) = (named("large").unwrap(), named("small").unwrap());
    let embeddings: EmbeddingRateLimiter =
        EmbeddingRateLimiter::builder().name("embed").tokens(Rate::per_day(9_000)).build().unwrap();
    let layer = LimitLayer::choose(move |request| -> Option<AnyLimiter> {
        if request.path().ends_with("/embeddings") {
            return Some((&embeddings).into());
        }
        match &*request.model()? {
            "gpt-4o" => Some((&large).into()),
            "gpt-4o-mini" => Some((&small).into()),
            _ => None,
        }
    });
    let limiter = |path: &str, body: &str| {
        let permit = Sent::post(path, body).acquire(&layer).unwrap();
        permit.map(|permit| permit.limiter().to_string())
    };
    let chat = |model: &str| format!(r#"{{"messages": [], "a": {{"model": "x"}}, "model": "{model}"}}"#);
    assert_eq!(limiter("/v1/chat/completions", &chat("gpt-4o")).as_deref(), Some("large"));
    assert_eq!(limiter("/v1/chat/completions", &chat("gpt-4o-mini")).as_deref(), Some("small"));
    assert_eq!(limiter("/v1/chat/completions", &chat("other")), None);
    let azure = "/openai/deployments/gpt-4o-mini/chat/completions";
    assert_eq!(limiter(azure, r#"{"messages": []}"#).as_deref(), Some("small"));
    assert_eq!(limiter("/v1/embeddings", r#"{"input": "a"}"#).as_deref(), Some("embed"));
}

#[test]
fn a_timeout_limits_the_wait() {
    let clock = ManualClock::new();
    let limiter = openlimit_tests::plain(&clock).requests(Rate::per_second(1)).build().unwrap();
    let layer = LimitLayer::new(&limiter).cost(|_| Some(Cost::new())).timeout(secs(0));
    let sent = Sent::post("/", "{}");
    assert!(sent.acquire(&layer).unwrap().is_some());
    assert!(matches!(sent.acquire(&layer).unwrap_err(), AcquireError::Timeout { .. }));
}

#[test]
fn two_clients_use_one_limiter_with_different_priorities() {
    let clock = ManualClock::new();
    let limiter = openlimit_tests::plain(&clock).requests(Rate::per_second(1)).build().unwrap();
    drop(limiter.try_acquire(Cost::new()).unwrap());
    let [batch, chat] = [Priority::Low, Priority::High].map(|priority| {
        let layer = LimitLayer::new(&limiter).cost(|_| Some(Cost::new())).priority(priority);
        Call::start(Sent::post("/", "{}").pending(&layer).unwrap().unwrap())
    });
    clock.advance(secs(2));
    assert_eq!([batch, chat].map(|call| call.admitted().waited()), [secs(2), secs(1)]);
}

#[test]
fn debug_output_shows_no_body_and_no_header() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer sk-secret"));
    let extensions = Extensions::new();
    let outgoing =
        Outgoing::new(&Method::POST, "localhost", "/secret", &headers, &extensions, Some(b"secret"));
    let shown = format!("{outgoing:?} {:?}", LimitLayer::new(any()));
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn calls_learn_together_with_those_of_their_site() {
    let chat = |model: &str| format!(r#"{{"model": "{model}", "max_tokens": 1000, "messages": []}}"#);
    let limiter = RateLimiter::builder().tokens(Rate::per_day(10_000_000)).output(Output::Learned);
    let limiter = limiter.clock(&ManualClock::new()).build().unwrap();
    let layer = LimitLayer::new(&limiter);
    let reserves = |layer: &LimitLayer, model: &str| {
        let permit = Sent::post("/v1/chat/completions", &chat(model)).acquire(layer).unwrap().unwrap();
        (tokens(&permit), permit)
    };
    let teach = |layer: &LimitLayer, model: &str, output: u64| {
        for _ in 0..20 {
            reserves(layer, model).1.settle(Usage::new(3, output));
        }
    };
    let (short, long) = (layer.clone().site("short"), layer.clone().site("long"));
    teach(&short, "gpt-4o", 5);
    teach(&long, "gpt-4o", 200);
    let all = [&short, &long, &layer].map(|layer| reserves(layer, "gpt-4o").0);
    assert_eq!(all, [8, 203, 1_003]);
    let by_model = layer.clone().site_of(|request| request.model().filter(|model| model != "gpt-4"));
    teach(&by_model, "gpt-4o", 50);
    teach(&by_model, "gpt-4o-mini", 70);
    assert_eq!(["gpt-4o", "gpt-4o-mini", "gpt-4"].map(|model| reserves(&by_model, model).0), [53, 73, 1_003]);
    assert_eq!(reserves(&by_model.site("short"), "gpt-4o").0, 8);
}
