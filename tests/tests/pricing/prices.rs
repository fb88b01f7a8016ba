//! Prices from a file in the format of LiteLLM.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use openlimit::{Dollars, Prices, Usage};

/// A part of such a file, with keys that say nothing of tokens.
const FILE: &str = r#"{
    "sample_spec": { "input_cost_per_token": 0.0, "max_tokens": "LEGACY parameter", "mode": "one of: chat" },
    "gpt-a": {
        "max_input_tokens": 128000,
        "input_cost_per_token": 2.5e-06,
        "input_cost_per_token_batches": 1.25e-06,
        "input_cost_per_token_priority": "no number",
        "cache_read_input_token_cost": 1.25e-06,
        "output_cost_per_token": 1e-05,
        "search_context_cost_per_query": { "search_context_size_low": 0.03, "input_cost_per_token": 9 },
        "supported_endpoints": ["/v1/chat/completions", { "input_cost_per_token": 9 }],
        "supports_vision": true
    },
    "claude-a": {
        "input_cost_per_token": 3e-06,
        "output_cost_per_token": 1.5e-05,
        "cache_creation_input_token_cost": 3.75e-06,
        "cache_read_input_token_cost": 3e-07,
        "output_cost_per_token_above_400k_tokens": 3e-05,
        "input_cost_per_token_above_200k_tokens": 6e-06,
        "output_cost_per_token_above_200k_tokens": 2.25e-05
    },
    "embedding-a": { "input_cost_per_token": "2e-8", "output_cost_per_token": null, "mode": "embedding" },
    "image-a": { "input_cost_per_image": 0.04 },
    "free": { "input_cost_per_token": 0, "output_cost_per_token": 0.0 }
}"#;

fn micros(model: &str, usage: Usage) -> Option<u64> {
    Prices::from_json(FILE.as_bytes()).unwrap().of(model, &usage).map(Dollars::micros)
}

#[test]
fn each_part_of_a_usage_has_its_price() {
    assert_eq!(micros("gpt-a", Usage::new(1_000, 100)), Some(2_500 + 1_000));
    assert_eq!(micros("gpt-a", Usage::new(1_000, 100).cached(400)), Some(1_500 + 500 + 1_000));
    let usage = Usage::new(1_000, 100).written(200).cached_beside(10_000);
    assert_eq!(micros("claude-a", usage), Some(2_400 + 750 + 3_000 + 1_500));
    // What a cache stored costs the same as other input, unless the file says more.
    assert_eq!(micros("gpt-a", Usage::new(1_000, 0).written(200)), Some(2_500));
}

#[test]
fn sums_are_rounded_up_and_never_overflow() {
    assert_eq!(micros("embedding-a", Usage::new(1, 0)), Some(1));
    assert_eq!(micros("embedding-a", Usage::new(100, 0)), Some(2));
    assert_eq!(micros("embedding-a", Usage::new(101, 0)), Some(3));
    assert_eq!(micros("claude-a", Usage::new(u64::MAX, u64::MAX)), Some(u64::MAX));
    assert_eq!(micros("free", Usage::new(u64::MAX, u64::MAX)), Some(0));
}

#[test]
fn a_long_prompt_changes_the_price_of_the_whole_call() {
    assert_eq!(micros("claude-a", Usage::new(200_000, 100)), Some(600_000 + 1_500));
    assert_eq!(micros("claude-a", Usage::new(200_001, 100)), Some(1_200_006 + 2_250));
    // What the cache served is a part of the prompt.
    assert_eq!(micros("claude-a", Usage::new(1, 0).cached_beside(200_000)), Some(60_000 + 6));
    // Where the longest prices name no part, the next ones do.
    assert_eq!(micros("claude-a", Usage::new(400_001, 100)), Some(2_400_006 + 3_000));
}

#[test]
fn a_model_without_a_price_per_token_has_none() {
    for model in ["image-a", "sample_spec", "gpt-b", "GPT-A", ""] {
        assert_eq!(micros(model, Usage::new(1, 1)), None, "{model}");
    }
    assert_eq!(micros("embedding-a", Usage::new(1, 1)), None, "its output has no price");
    assert_eq!(Prices::from_json(FILE.as_bytes()).unwrap().len(), 4);
}

#[test]
fn wrong_files_are_errors() {
    let error = |json: &[u8]| Prices::from_json(json).unwrap_err().to_string();
    let none = "cannot read the prices: expected a map from models to prices such as `\"input_cost_per_token\": \
                2.5e-06`, found none";
    for json in
        ["", "{}", "null", "7", "{\"a\": 1}", "404: Not Found", "{\"a\": [{\"input_cost_per_token\": 1}]}"]
    {
        assert_eq!(error(json.as_bytes()), none, "{json}");
    }
    assert!(error(&[0xff, 0xfe]).ends_with("expected JSON, found bytes that are not UTF-8"));
    for (value, found) in [
        ("-1e-6", "-0.000001"),
        ("-1", "-1"),
        ("1e300", "340282366920938463463374607431768211455"),
        ("\"two\"", "\"two\""),
        ("\"NaN\"", "\"NaN\""),
        ("\"inf\"", "\"inf\""),
        ("true", "a boolean"),
        ("[1]", "a list"),
        ("{}", "a map"),
    ] {
        let json = format!(r#"{{"m": {{"output_cost_per_token": {value}}}}}"#);
        let expected = format!(
            "cannot read the prices: `output_cost_per_token` of the model \"m\" must be a non-negative number of \
             dollars, found {found}"
        );
        assert_eq!(error(json.as_bytes()), expected);
    }
    let missing = Prices::from_file("/no/such/prices.json").unwrap_err().to_string();
    assert!(missing.starts_with("cannot read the prices: /no/such/prices.json: "), "{missing}");
}

#[test]
fn hostile_files_end_soon_and_take_no_stack() {
    let deep = "[".repeat(1_000_000);
    assert!(Prices::from_json(deep.as_bytes()).is_err());
    let deep = format!(r#"{{"m": {{"input_cost_per_token": 1e-6, "x": {}"#, "{\"a\":".repeat(500_000));
    assert_eq!(Prices::from_json(deep.as_bytes()).unwrap().len(), 1);
    let many: String =
        (0..20_000).map(|k| format!(r#""input_cost_per_token_above_{k}k_tokens": 1e-6,"#)).collect();
    let many = format!(r#"{{"m": {{{many} "input_cost_per_token": 1e-6}}}}"#);
    let prices = Prices::from_json(many.as_bytes()).unwrap();
    assert_eq!(prices.of("m", &Usage::new(100_000, 0)), Some(Dollars::from_cents(10)));
}
