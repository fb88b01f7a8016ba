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
    let chats = ChatRateLimiter::builder().requests(Rate::per_minute(1)).build().unwrap();
    let error = Sent::post("/v1/embeddings", "{}").acquire(&LimitLayer::new(chats)).unwrap_err();
    let expected = "found a path that ends with `/embeddings`; use the type `EmbeddingRateLimiter`, or \
                    `RateLimiter`, which takes requests of all kinds";
    assert!(error.to_string().ends_with(expected), "{error}");
}

/// Requests that ask no model for an answer.
const OTHER_LIMITS: [(&str, &str); 6] = [
    ("/v1/messages/count_tokens", r#"{"model": "claude-sonnet-4-5", "messages": []}"#),
    ("/v1beta/models/gemini-2.5-pro:countTokens", r#"{"contents": []}"#),
    ("/v1/responses/input_tokens", r#"{"model": "gpt-5", "input": "Hi"}"#),
    ("/v1/batches", r#"{"input_file_id": "file-1", "endpoint": "/v1/chat/completions"}"#),
    ("/v1/batches/batch_1/cancel", "{}"),
    ("/v1/vector_stores/vs_1/search", r#"{"query": "Hi"}"#),
];

#[test]
fn what_counts_against_other_limits_passes_any_limiter() {
    let messages = openlimit::MessagesRateLimiter::builder().input_tokens(Rate::per_day(9)).build().unwrap();
    let requests = RateLimiter::builder().requests(Rate::per_day(9)).build().unwrap();
    for layer in [
        LimitLayer::new(any()),
        LimitLayer::new(&messages),
        LimitLayer::new(&requests),
        LimitLayer::new((&messages, &requests)),
    ] {
        for (path, body) in OTHER_LIMITS {
            assert!(Sent::post(path, body).acquire(&layer).unwrap().is_none(), "{path}");
            let stream = Sent { body: None, ..Sent::post(path, "") };
            assert!(stream.acquire(&layer).unwrap().is_none(), "{path}");
        }
    }
    for (path, body) in OTHER_LIMITS {
        let cost = messages.cost_of_body(path, body.as_bytes()).unwrap();
        assert_eq!(format!("{cost:?}"), "Cost", "{path}");
        assert!(messages.try_acquire(&cost).is_ok() && any().try_acquire(&cost).is_ok());
    }
}

#[test]
fn what_counts_against_other_limits_is_limited_at_a_given_cost() {
    let counts = openlimit_tests::plain(&ManualClock::new()).requests(Rate::per_day(9)).build().unwrap();
    let layer = LimitLayer::new(&counts).cost(|_| Some(Cost::new()));
    let (path, body) = OTHER_LIMITS[0];
    assert!(Sent::post(path, body).acquire(&layer).unwrap().is_some());
    assert_eq!(counts.status().unwrap().limits[0].available, 8);
}

#[test]
fn a_limiter_of_requests_takes_one_for_a_path_that_is_not_known() {
    let sent = Sent::post("/v1/images/generations", r#"{"prompt": "a cat", "n": 2}"#);
    let requests = RateLimiter::builder().requests(Rate::per_day(9)).build().unwrap();
    let permit = sent.acquire(&LimitLayer::new(&requests)).unwrap().unwrap();
    assert_eq!(permit.cost(), Cost::new().requests(1));
    let images = RateLimiter::builder().requests(Rate::per_day(9)).images(Rate::per_day(9)).build().unwrap();
    let error = sent.acquire(&LimitLayer::new(&images)).unwrap_err();
    assert!(error.to_string().contains("or give the cost"), "{error}");
}

#[test]
fn a_request_takes_from_every_limiter_of_a_tuple() {
    let builder = ChatRateLimiter::builder().tokens(Rate::per_day(1_000)).headroom(openlimit::Percent(0));
    let builder = builder.jitter(secs(0)).clock(&ManualClock::new());
    let tenants: openlimit::Keyed<String, ChatRateLimiter> = builder.keyed().build().unwrap();
    let account = openlimit_tests::plain(&ManualClock::new())
        .name("account")
        .requests(Rate::per_day(3))
        .tokens(Rate::per_day(1_000))
        .build()
        .unwrap();
    let layer = LimitLayer::choose({
        let (tenants, account) = (tenants.clone(), account.clone());
        move |request| {
            let tenant = request.path().split('/').nth(1)?;
            Some((tenants.of(tenant), account.clone()))
        }
    });
    let available = |limiter: &openlimit::Status| limiter.limits.last().unwrap().available;
    let left = |tenant: &str| {
        [available(&tenants.of(tenant).status().unwrap()), available(&account.status().unwrap())]
    };
    let acquire = |tenant: &str| {
        let path = format!("/{tenant}/v1/chat/completions");
        Sent::post(&path, CHAT).acquire(&layer.clone().timeout(secs(0)))
    };
    // 103 tokens each.
    let permit = acquire("anna").unwrap().unwrap();
    drop(acquire("bob").unwrap().unwrap());
    assert_eq!((left("anna"), left("bob")), ([897, 794], [897, 794]));
    permit.settle(Usage::new(3, 10));
    assert_eq!(left("anna"), [987, 884]);
    drop(acquire("anna").unwrap().unwrap());
    // The account has no more, so nothing is taken from the tenant.
    assert!(matches!(acquire("anna").unwrap_err(), AcquireError::Timeout { .. }));
    assert_eq!(left("anna"), [884, 781]);
    // A path of another kind than that of one of the limiters.
    let error = Sent::post("/anna/v1/embeddings", "{}").acquire(&layer).unwrap_err();
    assert!(error.to_string().contains("EmbeddingRateLimiter"), "{error}");
}

#[test]
fn a_given_cost_is_taken_from_every_limiter_of_a_tuple() {
    let [a, b, c, d] = [(); 4].map(|()| any());
    let layer = LimitLayer::new((&a, (&b, &c, &d))).cost(|_| Some(Cost::new().tokens(7)));
    drop(Sent::post("/", "{}").acquire(&layer).unwrap().unwrap());
    for limiter in [a, b, c, d] {
        assert!(limiter.status().unwrap().limits[0].available < 1_000_000);
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
