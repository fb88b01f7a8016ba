//! One limiter in several formats.

use std::collections::HashMap;

use openlimit::{LimiterConfig, Rate, RateLimiter, limiter};
use serde::Deserialize;

const TOML: &str = r#"
[chat]
name = "prod"
requests = ["500 / minute", "10_000 / day"]
tokens = "30_000 / minute"
limit = { audio_seconds = "7_200 / hour" }
burst = "500 ms"
headroom = 5
refunds = false
counting = "in_windows"
input_factor = 1.25

[plain]
requests = "5 / second"
"#;

const YAML: &str = "
chat:
    name: prod
    requests: [500 / minute, 10_000 / day]
    tokens: 30_000 / minute
    limit:
        audio_seconds: 7_200 / hour
    burst: 500 ms
    headroom: 5 %
    refunds: false
    counting: InWindows
    input_factor: 1.25
plain:
    requests: 5 / second
";

const JSON: &str = r#"{
    "chat": {
        "name": "prod",
        "requests": ["500 / minute", "10_000 / day"],
        "tokens": "30_000 / minute",
        "limit": { "audio_seconds": "7_200 / hour" },
        "burst": "0.5s",
        "headroom": "5",
        "refunds": "false",
        "counting": "in-windows",
        "input_factor": "1.25"
    },
    "plain": { "requests": "5 / second" }
}"#;

#[derive(Deserialize)]
struct Settings {
    chat: LimiterConfig,
    plain: LimiterConfig,
}

fn shown(config: &LimiterConfig) -> String {
    format!("{:?}", RateLimiter::builder().config(config))
}

#[test]
fn toml_json_and_yaml_make_the_same_limiter() {
    let toml: Settings = toml::from_str(TOML).unwrap();
    let yaml: Settings = serde_norway::from_str(YAML).unwrap();
    let json: Settings = serde_json::from_str(JSON).unwrap();
    assert_eq!(shown(&toml.chat), shown(&json.chat));
    assert_eq!(shown(&yaml.chat), shown(&json.chat));
    assert_eq!(shown(&yaml.plain), shown(&toml.plain));
    assert_ne!(shown(&toml.chat), shown(&toml.plain));
    let chat = RateLimiter::builder().config(&toml.chat).build().unwrap();
    assert_eq!(
        chat.status().unwrap().limits.iter().map(|limit| limit.limit.to_string()).collect::<Vec<_>>(),
        [
            "500 requests / minute",
            "10000 requests / day",
            "30000 tokens / minute",
            "7200 audio_seconds / hour"
        ]
    );
}

#[test]
fn a_limiter_for_each_key_is_read_from_every_format() {
    let configs: [LimiterConfig; 3] = [
        toml::from_str("requests = '9 / day'\nmax_keys = 1_000").unwrap(),
        serde_norway::from_str("requests: 9 / day\nmax_keys: 1000").unwrap(),
        serde_json::from_str(r#"{ "requests": "9 / day", "max_keys": "1000" }"#).unwrap(),
    ];
    let built = RateLimiter::builder().requests(Rate::per_day(9)).keyed::<u64>().max_keys(1_000);
    for config in configs {
        let configured = RateLimiter::builder().config(&config).keyed::<u64>();
        assert_eq!(format!("{configured:?}"), format!("{built:?}"));
    }
}

#[test]
fn many_limiters_can_be_one_map() {
    let limiters: HashMap<String, LimiterConfig> = toml::from_str(TOML).unwrap();
    assert_eq!(limiters.len(), 2);
    let value: toml::Value = toml::from_str(TOML).unwrap();
    let again: LimiterConfig = value["plain"].clone().try_into().unwrap();
    assert_eq!(shown(&again), shown(&limiters["plain"]));
}

#[test]
fn a_static_can_be_read_from_a_config() {
    fn read(text: &str) -> Result<LimiterConfig, toml::de::Error> {
        toml::from_str(text)
    }

    limiter! {
        static GOOD: RateLimiter = { config: &read("requests = '3 / day'")?, tokens: 9 / day };
        static BAD: RateLimiter = { config: &read("requests = 3")? };
    }

    let status = GOOD.status().unwrap();
    assert_eq!(status.limits.len(), 2);
    let error = BAD.init().unwrap_err().to_string();
    assert!(error.contains("the value of `config` failed: "), "{error}");
    assert!(error.contains("`requests`: expected a rate such as `200 / minute`"), "{error}");
}

#[test]
fn a_config_without_limits_is_an_error_of_the_builder() {
    let config: LimiterConfig = toml::from_str("").unwrap();
    let error = RateLimiter::builder().config(&config).build().unwrap_err();
    assert!(error.to_string().contains("it has no limits"), "{error}");
}

#[test]
fn a_rate_of_your_own_struct_is_read_too() {
    #[derive(Deserialize)]
    struct Tier {
        tokens: Rate,
    }
    let tier: Tier = toml::from_str("tokens = '30_000 / minute'").unwrap();
    assert_eq!(tier.tokens, Rate::per_minute(30_000));
    let error = toml::from_str::<Tier>("tokens = 30_000").err().unwrap().to_string();
    assert!(error.contains("expected a rate such as `200 / minute`, found 30000"), "{error}");
}
