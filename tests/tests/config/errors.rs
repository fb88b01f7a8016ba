//! Errors name the key, the value, and what was expected.

use openlimit::{LimiterConfig, Rate, RateLimiter};
use proptest::prelude::*;
use serde_json::{Value, json};

#[track_caller]
fn error(value: Value) -> String {
    serde_json::from_value::<LimiterConfig>(value).unwrap_err().to_string()
}

#[test]
fn a_limit_of_the_file_that_the_program_declares_again_is_an_error() {
    let config: LimiterConfig = serde_json::from_value(json!({ "requests": "5 / minute" })).expect("valid");
    let builder = RateLimiter::builder().config(&config).requests(Rate::per_minute(7));
    let error = builder.build().unwrap_err().to_string();
    assert!(error.contains("declared twice, as 5 requests / minute and as 7 requests / minute"), "{error}");
}

#[test]
fn a_value_of_another_type_is_named() {
    for (value, expected) in [
        (json!({ "requests": 200 }), "`requests`: expected a rate such as `200 / minute`, found 200"),
        (
            json!({ "requests": ["1 / day", 2] }),
            "`requests`: expected a rate such as `200 / minute`, found 2",
        ),
        (json!({ "tokens": null }), "`tokens`: expected a rate such as `200 / minute`, found nothing"),
        (
            json!({ "limit": "9 / day" }),
            "`limit`: expected a table of dimensions, such as `{ audio_seconds = \"7_200 / hour\" }`, found \"9 / day\"",
        ),
        (
            json!({ "limit": { "pages": 9 } }),
            "`limit`: `pages`: expected a rate such as `200 / minute`, found 9",
        ),
        (
            json!({ "spend": "10 / day" }),
            "`spend`: expected a rate such as `$10 / day`, found \"10 / day\": a budget begins with dollars, such as \
             `$10` or `$0.25`",
        ),
        (json!({ "spend": 10 }), "`spend`: expected a budget such as `$10 / day`, found 10"),
        (
            json!({ "limit": { "spend": "10 / day" } }),
            "`limit`: `spend`: expected a rate such as `$10 / day`, found \"10 / day\": a budget begins with dollars, \
             such as `$10` or `$0.25`",
        ),
        (
            json!({ "prices": "/no/such.json" }),
            "`prices`: cannot read the prices: /no/such.json: No such file or directory (os error 2)",
        ),
        (
            json!({ "prices": 7 }),
            "`prices`: expected the path of a file, or a table of `file` and `provider`, found 7",
        ),
        (json!({ "prices": { "provider": "azure" } }), "`prices`: expected a key `file`, found none"),
        (json!({ "prices": { "file": 7 } }), "`prices`: `file`: expected text, found 7"),
        (json!({ "prices": { "fil": "a.json" } }), "`prices`: unknown key `fil`; did you mean `file`?"),
        (
            json!({ "reserve": "20 % for urgent" }),
            "`reserve`: expected a part and a priority such as `20 % for high`, found \"20 % for urgent\"",
        ),
        (
            json!({ "reserve": "20 % for 3" }),
            "`reserve`: expected a part and a priority such as `20 % for high`, found \"20 % for 3\"",
        ),
        (
            json!({ "reserve": "300 % for high" }),
            "`reserve`: expected a part and a priority such as `20 % for high`, found \"300 % for high\"",
        ),
        (
            json!({ "reserve": "high" }),
            "`reserve`: expected a part and a priority such as `20 % for high`, found \"high\"",
        ),
        (
            json!({ "reserve": 20 }),
            "`reserve`: expected a part and a priority such as `20 % for high`, found 20",
        ),
        (
            json!({ "overflow": "drop_all" }),
            "`overflow`: expected `RejectNew`, `DropOldest` or `DropLowest`, found \"drop_all\"",
        ),
        (json!({ "max_waiting": -1 }), "`max_waiting`: expected a non-negative integer, found -1"),
        (json!({ "price": 1 }), "`price` is not data; call the builder's method `price`"),
        (json!({ "burst": 5 }), "`burst`: expected a time such as `500 ms`, or `Observed`, found 5"),
        (json!({ "jitter": "50" }), "`jitter`: expected a time such as `500 ms`, found \"50\""),
        (json!({ "max_hold": "-1 s" }), "`max_hold`: expected a time such as `500 ms`, found \"-1 s\""),
        (
            json!({ "headroom": 0.05 }),
            "`headroom`: expected a whole number of percent such as `5` or `5 %`, found 0.05",
        ),
        (
            json!({ "headroom": 256 }),
            "`headroom`: expected a whole number of percent such as `5` or `5 %`, found 256",
        ),
        (
            json!({ "headroom": "-5 %" }),
            "`headroom`: expected a whole number of percent such as `5` or `5 %`, found \"-5 %\"",
        ),
        (
            json!({ "concurrency": "1..64" }),
            "`concurrency`: expected a number of calls such as `64`, or a range such as `1..=64`, found \"1..64\"",
        ),
        (
            json!({ "headroom": "5 % %" }),
            "`headroom`: expected a whole number of percent such as `5` or `5 %`, found \"5 % %\"",
        ),
        (
            json!({ "counting": "windows" }),
            "`counting`: expected `Refilling` or `InWindows`, found \"windows\"",
        ),
        (json!({ "refunds": "maybe" }), "`refunds`: expected `true` or `false`, found \"maybe\""),
        (json!({ "default_output": -1 }), "`default_output`: expected a non-negative integer, found -1"),
        (json!({ "input_factor": [] }), "`input_factor`: expected a number, found a list"),
        (json!({ "name": {} }), "`name`: expected text, found a table"),
        (
            json!({ "redis": true }),
            "`redis`: expected a URL, or a table with one of the keys `url`, `cluster` and `env`, found true",
        ),
        (
            json!({ "redis": {} }),
            "`redis`: expected a URL, or a table with one of the keys `url`, `cluster` and `env`, found 0 of them",
        ),
        (
            json!({ "redis": { "url": "", "env": "" } }),
            "`redis`: expected a URL, or a table with one of the keys `url`, `cluster` and `env`, found 2 of them",
        ),
        (
            json!({ "redis": { "url": "", "time_out": "1 s" } }),
            "`redis`: unknown key `time_out`; did you mean `timeout`?",
        ),
        (
            json!({ "redis": { "url": "", "lease": 1 } }),
            "`redis`: `lease`: expected a time such as `500 ms`, found 1",
        ),
        (
            json!({ "redis": { "url": "", "on_outage": "go" } }),
            "`redis`: `on_outage`: expected `wait`, or a share such as `25 %`, found \"go\"",
        ),
    ] {
        assert_eq!(error(value), expected);
    }
}

#[test]
fn a_priority_or_a_part_that_is_out_of_range_fails_the_limiter() {
    for reserve in ["20 % for low", "0 % for high", "100 % for high"] {
        let config = json!({ "requests": "9 / second", "reserve": reserve });
        let config: LimiterConfig = serde_json::from_value(config).expect("it has the right form");
        let error = RateLimiter::builder().config(&config).build().expect_err("it is out of range");
        assert!(error.to_string().contains("a reserve "), "{error}");
    }
}

#[test]
fn an_unknown_key_is_an_error_that_suggests_the_nearest_one() {
    assert_eq!(error(json!({ "requets": "1 / day" })), "unknown key `requets`; did you mean `requests`?");
    assert_eq!(error(json!({ "token": "1 / day" })), "unknown key `token`; did you mean `tokens`?");
    assert!(error(json!({ "retries": 3 })).starts_with("unknown key `retries`; the keys are `requests`, "));
    assert_eq!(
        error(json!({ "tokenizer": "x" })),
        "`tokenizer` is not data; call the builder's method `tokenizer`"
    );
}

#[test]
fn a_config_that_is_no_table_is_an_error() {
    let expected = "invalid type: integer `5`, expected the keys of a limiter, such as `requests`";
    assert_eq!(error(json!(5)), expected);
}

#[test]
fn a_format_adds_the_line() {
    let toml = "requests = '5 / second'\nburst = 5\n";
    let error = toml::from_str::<LimiterConfig>(toml).unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
    assert!(error.contains("2 | burst = 5"), "{error}");
    let json = "{\n\"requests\": \"5 / second\",\n\"burst\": 5\n}";
    let error = serde_json::from_str::<LimiterConfig>(json).unwrap_err().to_string();
    assert!(error.contains("line 3 column 10"), "{error}");
    let yaml = "requests: 5 / second\nburst: 5\n";
    let error = serde_norway::from_str::<LimiterConfig>(yaml).unwrap_err().to_string();
    assert!(error.contains("`burst`: expected a time") && error.contains("line 2 column 8"), "{error}");
}

#[test]
fn no_error_and_no_debug_shows_the_url_of_a_redis() {
    let secret = "redis://user:hunter2@example";
    for redis in [json!(secret), json!({ "url": secret }), json!({ "cluster": [secret] })] {
        let config: LimiterConfig = serde_json::from_value(json!({ "redis": redis })).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
    for redis in [
        json!([secret]),
        json!({ "url": [secret] }),
        json!({ "url": secret, "lease": 1 }),
        json!({ "cluster": { "a": secret } }),
    ] {
        let error = error(json!({ "redis": redis }));
        assert!(!error.contains("hunter2"), "{error}");
    }
}

/// Any JSON, a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".{0,6}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_value_panics_and_each_error_names_its_key(
        key in prop::sample::select(vec![
            "requests", "limit", "burst", "jitter", "headroom", "concurrency", "counting", "refunds", "default_output",
            "model", "input_factor", "output", "name", "redis",
        ]),
        value in any_json(),
    ) {
        if let Err(error) = serde_json::from_value::<LimiterConfig>(json!({ key: value })) {
            prop_assert!(error.to_string().starts_with(&format!("`{key}`: ")), "{}", error);
        }
    }
}
