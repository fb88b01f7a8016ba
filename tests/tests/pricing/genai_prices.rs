//! Prices from a file in the format of genai-prices.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openlimit::{ChatRateLimiter, Dimension, Dollars, Prices, Unit, Usage};
use serde_json::{Value, json};

/// A made-up file, with keys that say nothing of tokens.
fn file() -> Value {
    json!([
        {
            "id": "acme",
            "name": "Acme",
            "pricing_urls": ["https://acme.example/prices"],
            "api_pattern": "https://api\\.acme\\.example",
            "model_match": { "or": [{ "starts_with": "Acme-" }, { "regex": "^a[12]" }] },
            "extractors": [{ "root": "usage", "mappings": [{ "path": "in", "dest": "input_tokens" }] }],
            "models": [
                {
                    "id": "acme-large",
                    "match": { "or": [{ "equals": "Acme-Large" }, { "regex": "^acme-large-\\d{8}$" }] },
                    "context_window": 200_000,
                    "prices": {
                        "input_mtok": { "base": 3, "tiers": [{ "start": 400_000, "price": 9 }, { "start": 200_000, "price": 6 }] },
                        "cache_read_mtok": 0.3,
                        "cache_write_mtok": 3.75,
                        "output_mtok": { "base": 15, "tiers": [{ "start": 200_000, "price": 22.5 }] },
                        "input_audio_mtok": 900,
                        "web_searches_kcount": 10,
                        "cache_write_1h_mtok": null
                    }
                },
                {
                    "id": "acme-mini",
                    "match": { "and": [{ "contains": "mini" }, { "ends_with": "-it" }] },
                    "prices": { "input_mtok": "0.1", "output_mtok": 0.4 }
                },
                { "id": "acme-any", "match": { "contains": "mini" }, "prices": { "input_mtok": 50, "output_mtok": 50 } },
                { "id": "embed", "match": { "equals": "acme-embed" }, "prices": { "input_mtok": 0.02 } },
                { "id": "search", "match": { "equals": "a1" }, "prices": { "output_mtok": 1, "input_mtok": 1, "requests_kcount": 5 } }
            ]
        },
        {
            "id": "cloud",
            "fallback_model_providers": ["nobody", "acme", "times"],
            "models": [
                { "id": "l", "match": { "starts_with": "acme-large" }, "prices": { "input_mtok": 4, "output_mtok": 20 } }
            ]
        },
        {
            "id": "times",
            "model_match": { "starts_with": "t-" },
            "models": [
                {
                    "id": "t-date",
                    "match": { "equals": "t-date" },
                    "prices": [
                        { "prices": { "input_mtok": 10 } },
                        { "constraint": { "start_date": "2025-06-10" }, "prices": { "input_mtok": 2 } },
                        { "constraint": { "start_date": "2099-01-01" }, "prices": { "input_mtok": 1 } }
                    ]
                },
                {
                    "id": "t-daily",
                    "match": { "equals": "t-daily" },
                    "prices": [
                        { "constraint": null, "prices": { "input_mtok": 1 } },
                        { "constraint": { "start_time": "00:30:00Z", "end_time": "16:30:00Z" }, "prices": { "input_mtok": 3 } }
                    ]
                },
                {
                    "id": "t-later",
                    "match": { "equals": "t-later" },
                    "prices": [
                        { "constraint": { "start_date": "2098-01-01" }, "prices": { "input_mtok": 7 } },
                        { "constraint": { "start_date": "2099-01-01" }, "prices": { "input_mtok": 8 } }
                    ]
                }
            ]
        }
    ])
}

fn read(file: &Value) -> Result<Prices, String> {
    Prices::from_json(file.to_string().as_bytes()).map_err(|error| error.to_string())
}

fn prices() -> Prices {
    read(&file()).unwrap()
}

fn micros(prices: &Prices, model: &str, usage: Usage) -> Option<u64> {
    prices.of(model, &usage).map(Dollars::micros)
}

#[test]
fn each_part_of_a_usage_has_its_price() {
    let of = |usage| micros(&prices(), "acme-large", usage);
    assert_eq!(of(Usage::new(1_000, 100)), Some(3_000 + 1_500));
    assert_eq!(of(Usage::new(1_000, 100).cached(400)), Some(1_800 + 120 + 1_500));
    assert_eq!(of(Usage::new(1_000, 0).written(200).cached_beside(10_000)), Some(2_400 + 750 + 3_000));
    assert_eq!(of(Usage::new(1, 0).cached_beside(1)), Some(4), "rounded up");
    let mini = |usage| micros(&prices(), "acme-mini-it", usage);
    assert_eq!(mini(Usage::new(1_000, 0).cached(400).written(100)), Some(100), "as other input");
    assert_eq!(micros(&prices(), "a1", Usage::new(1_000, 100)), Some(1_000 + 100 + 5_000), "and the call");
}

#[test]
fn a_long_prompt_changes_the_price_of_the_whole_call() {
    let of = |usage| micros(&prices(), "acme-large", usage);
    assert_eq!(of(Usage::new(200_000, 100)), Some(600_000 + 1_500));
    assert_eq!(of(Usage::new(200_001, 100)), Some(1_200_006 + 2_250));
    assert_eq!(of(Usage::new(400_001, 100)), Some(3_600_009 + 2_250));
    // What the cache served is a part of the prompt, and its own price has no tiers.
    assert_eq!(of(Usage::new(1, 0).cached_beside(200_000)), Some(6 + 60_000));
}

#[test]
fn the_first_model_whose_clause_fits_counts_in_any_case() {
    let of = |model: &str| micros(&prices(), model, Usage::new(1_000_000, 0));
    for (model, expected) in [
        ("ACME-LARGE", Some(9_000_000)),
        ("acme-large-20260101", Some(9_000_000)),
        ("acme-large-2026", None),
        ("acme-mini-it", Some(100_000)),
        ("acme-mini", Some(50_000_000)),
        ("acme-embed", Some(20_000)),
        ("a3", None),
        ("large", None),
        ("", None),
    ] {
        assert_eq!(of(model), expected, "{model}");
    }
    assert_eq!(micros(&prices(), "acme-embed", Usage::new(1, 1)), None, "its output has no price");
}

#[test]
fn a_program_may_name_the_provider() {
    let usage = || Usage::new(1_000, 0);
    let cloud = prices().provider("cloud").unwrap();
    assert_eq!(micros(&cloud, "acme-large-eu", usage()), Some(4_000));
    assert_eq!(micros(&cloud, "acme-mini", usage()), Some(50_000), "as its fallback has it");
    assert_eq!(micros(&cloud, "t-daily-x", usage()), None);
    let acme = prices().provider("acme").unwrap();
    assert_eq!(micros(&acme, "mini", usage()), Some(50_000), "`model_match` does not matter");
    assert_eq!(micros(&acme, "t-date", usage()), None);
    assert_eq!((prices().len(), acme.len(), cloud.len()), (9, 5, 1));
    assert_eq!(format!("{cloud:?}"), "Prices(1 models)");
    let error = prices().provider("azure").unwrap_err().to_string();
    let known = "expected one of the providers `acme`, `cloud`, `times`, found \"azure\"";
    assert_eq!(error, format!("cannot read the prices: {known}"));
    let litellm = Prices::from_json(br#"{"m": {"input_cost_per_token": 1}}"#).unwrap();
    let error = litellm.provider("openai").unwrap_err().to_string();
    assert!(error.ends_with("to find the provider \"openai\", found LiteLLM's"), "{error}");
}

#[test]
fn prices_change_at_a_date_or_a_time_of_day() {
    let at = |model: &str, seconds| {
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        prices().of_at(model, &Usage::new(1_000_000, 0), time).map(|price| price.micros() / 1_000_000)
    };
    // The day begins at midnight in UTC.
    let june_10 = 1_749_513_600;
    assert_eq!((at("t-date", june_10 - 1), at("t-date", june_10)), (Some(10), Some(2)));
    assert_eq!(at("t-date", 5_000_000_000), Some(1));
    for (time, expected) in
        [(0, 1), (1_799, 1), (1_800, 3), (59_399, 3), (59_400, 1), (86_399, 1), (86_400 + 1_800, 3)]
    {
        assert_eq!(at("t-daily", june_10 + time), Some(expected), "{time}");
    }
    assert_eq!(at("t-later", june_10), Some(7), "the first where none applies");
    assert_eq!(
        prices()
            .of_at("t-date", &Usage::new(1_000_000, 0), UNIX_EPOCH - Duration::from_secs(9))
            .map(Dollars::micros),
        Some(10_000_000)
    );
    // Now, it is after the first of these dates.
    assert_eq!(micros(&prices(), "t-date", Usage::new(1_000_000, 0)), Some(2_000_000));
    let now = prices().of_at("t-daily", &Usage::new(9, 0), SystemTime::now());
    assert!(now.is_some());
}

#[test]
fn a_limiter_reserves_by_them() {
    let prices = prices().provider("acme").unwrap();
    let limiter = ChatRateLimiter::builder().spend(Dollars(1) / Unit::day).prices(prices).build().unwrap();
    let request = |model: &str| {
        json!({
            "model": model,
            "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
            "max_completion_tokens": 100,
        })
    };
    let permit = limiter.try_acquire(&request("acme-large")).unwrap();
    assert_eq!(permit.cost().amount(&Dimension::Spend), 13 * 3 + 100 * 15);
    let error = limiter.try_acquire(&request("gpt-4o")).unwrap_err().to_string();
    assert!(error.ends_with("the model \"gpt-4o\" has no price: it is not in the prices"), "{error}");
}

/// Returns the error of a file with one model.
fn error(model: &Value) -> String {
    let error = read(&json!([{ "id": "p", "models": [model] }])).unwrap_err();
    let start = "cannot read the prices: the provider \"p\": the model \"m\": ";
    error.strip_prefix(start).unwrap_or_else(|| panic!("{error}")).to_owned()
}

#[test]
fn a_clause_that_is_not_understood_is_an_error() {
    let clause = "expected a clause of one key, `equals`, `starts_with`, `ends_with`, `contains`, `regex`, `or` or \
                  `and`, found ";
    for (names, found) in [
        (json!({ "sounds_like": "m" }), "`sounds_like`: \"m\""),
        (json!({ "equals": 7 }), "`equals`: 7"),
        (json!({ "or": { "equals": "m" } }), "`or`: a map"),
        (json!({ "and": [{ "or": ["m"] }] }), "another number of keys"),
        (json!({ "equals": "m", "contains": "m" }), "another number of keys"),
        (json!({}), "another number of keys"),
        (json!("m"), "another number of keys"),
    ] {
        let error = error(&json!({ "id": "m", "match": names, "prices": {} }));
        assert_eq!(error, format!("{clause}{found}"));
    }
    let regex = error(&json!({ "id": "m", "match": { "regex": "^(?!m)" }, "prices": {} }));
    assert!(
        regex.starts_with("expected a `regex` of literals") && regex.ends_with("found \"^(?!m)\""),
        "{regex}"
    );
    assert_eq!(error(&json!({ "id": "m", "prices": {} })), "expected a `match`, found none");
}

#[test]
fn a_price_that_is_not_understood_is_an_error() {
    let of = |prices: Value| error(&json!({ "id": "m", "match": { "equals": "m" }, "prices": prices }));
    for (price, found) in [
        (json!(-1), "-1"),
        (json!(-0.5), "-0.5"),
        (json!(1e300), "340282366920938463463374607431768211455"),
        (json!("two"), "\"two\""),
        (json!("NaN"), "\"NaN\""),
        (json!("inf"), "\"inf\""),
        (json!(true), "a boolean"),
        (json!([1]), "a list"),
        (json!({}), "nothing"),
        (json!({ "base": 1, "tiers": [{ "start": 9 }] }), "nothing"),
        (json!({ "base": 1, "tiers": [{ "start": 9, "price": -1 }] }), "-1"),
    ] {
        let expected = format!("`output_mtok` must be a non-negative number of dollars, found {found}");
        assert_eq!(of(json!({ "output_mtok": price })), expected);
        assert_eq!(of(json!([{ "prices": { "output_mtok": price } }])), expected);
    }
    for start in [json!(null), json!(-1), json!("x")] {
        let tiers = json!({ "input_mtok": { "base": 1, "tiers": [{ "start": start, "price": 1 }] } });
        assert_eq!(of(tiers), "a tier of `input_mtok` must have a `start`, a non-negative number of tokens");
    }
    assert_eq!(of(json!(null)), "expected `prices`, found none");
    assert_eq!(of(json!([])), "expected `prices`, found none");
    assert_eq!(of(json!([{ "constraint": null }])), "expected `prices` beside each `constraint`, found none");
}

#[test]
fn a_time_that_is_not_understood_is_an_error() {
    for (constraint, found) in [
        (json!({ "start_date": "tomorrow" }), "`start_date`: \"tomorrow\""),
        (json!({ "start_date": "2026-02-29" }), "`start_date`: \"2026-02-29\""),
        (
            json!({ "start_date": "2026-02-01", "region": "eu" }),
            "`start_date`: \"2026-02-01\", `region`: \"eu\"",
        ),
        (json!({ "start_time": "09:00:00Z" }), "`start_time`: \"09:00:00Z\""),
        (
            json!({ "start_time": "09:00:00Z", "end_time": "08:00:00Z" }),
            "`start_time`: \"09:00:00Z\", `end_time`: \"08:00:00Z\"",
        ),
        (
            json!({ "start_time": "09:00:00", "end_time": "10:00:00+02:00" }),
            "`start_time`: \"09:00:00\", `end_time`: \"10:00:00+02:00\"",
        ),
        (json!({ "weekday": 7 }), "`weekday`: 7"),
        (json!({}), ""),
    ] {
        let prices = json!([{ "constraint": constraint, "prices": {} }]);
        let error = error(&json!({ "id": "m", "match": { "equals": "m" }, "prices": prices }));
        assert!(error.starts_with("expected a `constraint` of a `start_date`"), "{error}");
        // The keys of `json!` are sorted.
        let mut parts: Vec<_> = error.rsplit("found ").next().unwrap().split(", ").collect();
        let mut expected: Vec<_> = found.split(", ").collect();
        parts.sort_unstable();
        expected.sort_unstable();
        assert_eq!(parts, expected);
    }
}

#[test]
fn wrong_files_are_errors() {
    for (file, problem) in [
        ("[]", "expected a list of providers, each with its `models`, found no model"),
        ("[1, \"a\", null]", "expected an `id` of each provider, found none"),
        ("[{\"id\": 7, \"models\": []}]", "expected an `id` of each provider, found none"),
        (
            "[{\"id\": \"p\", \"models\": {}}]",
            "expected a list of providers, each with its `models`, found no model",
        ),
        ("[{\"input_cost_per_token\": 1}]", "expected an `id` of each provider, found none"),
        (
            "[{\"id\": \"p\", \"model_match\": 1, \"models\": []}]",
            "the provider \"p\": expected a clause of one key",
        ),
    ] {
        let error = Prices::from_json(file.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot read the prices: {problem}")), "{file}: {error}");
    }
}

#[test]
fn hostile_files_end_soon_and_take_no_stack() {
    let deep = "[".repeat(1_000_000);
    assert!(Prices::from_json(deep.as_bytes()).is_err());
    let clauses = format!("{}{}", r#"{"or":["#.repeat(100_000), "]}".repeat(100_000));
    let deep = format!(r#"[{{"id": "p", "models": [{{"id": "m", "match": {clauses}, "prices": {{}}}}]}}]"#);
    assert!(Prices::from_json(deep.as_bytes()).is_err());
    let models: String = (0..20_000)
        .map(|k| {
            format!(r#"{{"id": "{k}", "match": {{"equals": "{k}"}}, "prices": {{"input_mtok": {k}}}}},"#)
        })
        .collect();
    let many = format!(r#"[{{"id": "p", "models": [{models}]}}]"#);
    let prices = Prices::from_json(many.as_bytes()).unwrap().provider("p").unwrap();
    assert_eq!(micros(&prices, "19999", Usage::new(1, 0)), Some(19_999));
    assert_eq!(micros(&prices, &"a".repeat(1_000_000), Usage::new(1, 0)), None);
}
