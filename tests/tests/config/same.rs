//! Nothing differs between a builder, `limiter!` and a config: every key has a row here.

use std::cell::Cell;
use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

use openlimit::{
    AcquireError, BuildProblem, Builder, Burst, Charge, ChatRateLimiter, Concurrency, Counting, Dimension,
    Dollars, Input, Keyed, Limit, LimiterConfig, OnOutage, Output, Overflow, Percent, Prices, Priority, Rate,
    Redis, Unit, kind, limiter,
};
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);

/// A file in the format of LiteLLM.
const PRICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config/prices.json");
const PROVIDERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config/providers.json");

/// What `limiter!` expands to.
type Fill =
    fn(Builder<kind::Chat>, &Cell<&'static str>) -> Result<Builder<kind::Chat>, Box<dyn Error + Send + Sync>>;

/// The options of one key, written in three ways.
struct Row {
    key: &'static str,
    /// What each of the three made, as `Debug` shows it.
    shown: [String; 3],
}

/// Writes rows: `key { value in limiter! } { arguments of the method } value in a config;`.
macro_rules! rows {
    ($($key:ident { $($macro:tt)+ } { $($method:tt)+ } $config:expr;)+) => {
        [$(Row {
            key: stringify!($key),
            shown: [
                shown(ChatRateLimiter::builder().$key($($method)+)),
                declared(|builder, _at| openlimit::__limiter!(builder _at [] $key: $($macro)+)),
                shown(ChatRateLimiter::builder().config(&config(json!({ stringify!($key): $config })))),
            ],
        }),+]
    };
}

fn shown<Keys: Debug>(builder: Builder<kind::Chat, Keys>) -> String {
    format!("{builder:?}")
}

/// Returns what a declaration makes that fills its builder like this.
fn declared(fill: Fill) -> String {
    shown(fill(ChatRateLimiter::builder(), &Cell::new("")).unwrap())
}

fn config(value: Value) -> LimiterConfig {
    serde_json::from_value(value).unwrap()
}

#[test]
fn each_key_means_the_same_to_a_builder_a_macro_and_a_config() {
    let rows = rows! {
        requests { 200 / minute } { Rate::per_minute(200) } "200 / minute";
        tokens { 40_000 / second } { Rate::per_second(40_000) } "40_000 / second";
        input_tokens { 9 / month } { Rate::per_month(9) } "9 / month, resets at 00:00 UTC";
        output_tokens { 9 / day } { Rate::per_day(9) } json!(["9 / day"]);
        images { Rate::per_day(9).burst(SECOND) } { Rate::per_day(9).burst(SECOND) } "9 / day, burst 1 s";
        spend { Dollars(10) / day } { Dollars(10) / Unit::day } "$10 / day";
        limit { Limit::new("pages", Rate::per_day(9)) } { Limit::new("pages", Rate::per_day(9)) }
            json!({ "pages": "9 / day" });
        burst { Burst::Observed } { Burst::Observed } "observed";
        burst { 2 * SECOND } { 2 * SECOND } "2 s";
        jitter { SECOND / 100 } { SECOND / 100 } "10 ms";
        headroom { Percent(5) } { Percent(5) } "5 %";
        concurrency { Concurrency::Adaptive(1..=64) } { Concurrency::Adaptive(1..=64) } "1..=64";
        counting { Counting::InWindows } { Counting::InWindows } "in_windows";
        reserve { (Priority::High, Percent(20)) } { (Priority::High, Percent(20)) } "20 % for high";
        refunds { false } { false } false;
        max_hold { 60 * SECOND } { 60 * SECOND } "1m";
        max_waiting { 1_000 } { 1_000 } 1_000;
        overflow { Overflow::DropOldest } { Overflow::DropOldest } "drop_oldest";
        default_output { 500 } { 500 } 500;
        model { "gpt-4o" } { "gpt-4o" } "gpt-4o";
        input_factor { 1.5 } { 1.5 } 1.5;
        prices { Prices::from_file(PRICES)? } { Prices::from_file(PRICES).unwrap() } PRICES;
        output { Output::Learned } { Output::Learned } "Learned";
        input { Input::Learned } { Input::Learned } "learned";
        admission { Charge::OpenAi } { Charge::OpenAi } "open_ai";
        adopt_limits { true } { true } true;
        discover { true } { true } true;
        name { "prod" } { "prod" } "prod";
        redis { "redis://localhost" } { "redis://localhost" } "redis://localhost";
    };
    let plain = shown(ChatRateLimiter::builder());
    for Row { key, shown: [built, declared, configured] } in &rows {
        assert_ne!(*built, plain, "{key} changes nothing");
        assert_eq!(built, declared, "{key}");
        assert_eq!(built, configured, "{key}");
    }
    let error = serde_json::from_value::<LimiterConfig>(json!({ "no such key": 0 })).unwrap_err().to_string();
    let (_, known) = error.split_once("; the keys are ").unwrap();
    for known in known.split(", ").map(|key| key.trim_matches('`')) {
        let has_test = known == "max_keys" || rows.iter().any(|row| row.key == known);
        assert!(has_test, "`{known}` has no row");
    }
}

#[test]
fn max_keys_means_the_same_for_a_limiter_of_each_key_and_is_refused_for_a_single_one() {
    let keyed = || ChatRateLimiter::builder().tokens(Rate::per_day(9)).keyed::<u64>();
    let config = config(json!({ "max_keys": 2 }));
    let configured = keyed().config(&config);
    assert_eq!(shown(configured.clone()), shown(keyed().max_keys(2)));
    let tenants = configured.build().unwrap();
    let _used = [tenants.of(&1).try_acquire(1).unwrap(), tenants.of(&2).try_acquire(1).unwrap()];
    assert!(matches!(tenants.of(&3).try_acquire(1), Err(AcquireError::TooManyKeys { max_keys: 2, .. })));

    limiter! {
        static TENANTS: Keyed<u64, ChatRateLimiter> = { tokens: 9 / day, config: &max_keys_of_zero() };
        static SINGLE: ChatRateLimiter = { tokens: 9 / day, config: &max_keys_of_zero() };
    }
    assert!(matches!(TENANTS.init().unwrap_err().problem(), BuildProblem::NoKeys));
    let error = SINGLE.init().unwrap_err();
    assert!(matches!(error.problem(), BuildProblem::UnusedMaxKeys(0)), "{error}");
    let expected = "its `max_keys` of 0 has no effect, because it is no limiter for each key; leave it out, or declare \
                    a `Keyed<TenantId, ..>`";
    assert!(error.to_string().ends_with(expected), "{error}");
}

fn max_keys_of_zero() -> LimiterConfig {
    config(json!({ "max_keys": 0 }))
}

#[test]
fn each_setting_of_redis_is_that_of_its_method() {
    let one = || Redis::new("redis://a");
    let local = OnOutage::Local(Percent(25));
    for (options, redis) in [
        (json!({ "url": "redis://a" }), one()),
        (json!({ "cluster": ["redis://a", "redis://b"] }), Redis::cluster(["redis://a", "redis://b"])),
        (json!({ "cluster": "redis://a" }), Redis::cluster(["redis://a"])),
        (json!({ "env": "OPENLIMIT_NO_SUCH_VARIABLE" }), Redis::from_env("OPENLIMIT_NO_SUCH_VARIABLE")),
        (json!({ "url": "redis://a", "prefix": "mine:" }), one().prefix("mine:")),
        (json!({ "timeout": "2 s", "url": "redis://a" }), one().timeout(2 * SECOND)),
        (json!({ "url": "redis://a", "patience": "3 s" }), one().patience(3 * SECOND)),
        (json!({ "url": "redis://a", "on_outage": "wait" }), one().on_outage(OnOutage::Wait)),
        (json!({ "url": "redis://a", "on_outage": "25 %" }), one().on_outage(local)),
        (json!({ "url": "redis://a", "look_ahead": "20 ms" }), one().look_ahead(SECOND / 50)),
        (json!({ "url": "redis://a", "lease": "100 ms" }), one().lease(SECOND / 10)),
        (json!({ "url": "redis://a", "root_certificates": "pem" }), one().root_certificates("pem")),
    ] {
        let built = shown(ChatRateLimiter::builder().redis(redis));
        let configured = config(json!({ "redis": options }));
        assert_eq!(shown(ChatRateLimiter::builder().config(&configured)), built, "{options}");
    }
}

#[test]
fn prices_may_name_a_provider() {
    let limiter = |prices| {
        let config = config(json!({ "spend": "$10 / day", "prices": prices }));
        ChatRateLimiter::builder().config(&config).build().unwrap()
    };
    let dear = limiter(json!({ "file": PROVIDERS, "provider": "dear" }));
    let request = json!({ "model": "m-1", "messages": [], "max_tokens": 1_000 });
    let spend = |limiter: &ChatRateLimiter| limiter.cost(&request).unwrap().amount(&Dimension::Spend);
    assert!(spend(&dear) > 10 * spend(&limiter(json!(PROVIDERS))));
    let wrong = json!({ "prices": { "file": PROVIDERS, "provider": "azure" } });
    let error = serde_json::from_value::<LimiterConfig>(wrong).unwrap_err().to_string();
    assert_eq!(
        error,
        "`prices`: cannot read the prices: expected one of the providers `cheap`, `dear`, found \"azure\""
    );
}

#[test]
fn a_config_adds_to_what_the_builder_has_and_the_last_value_counts() {
    let config = config(json!({ "requests": "1 / day", "headroom": 7 }));
    let builder = ChatRateLimiter::builder().tokens(Rate::per_day(2)).headroom(Percent(1));
    let expected =
        ChatRateLimiter::builder().tokens(Rate::per_day(2)).requests(Rate::per_day(1)).headroom(Percent(7));
    assert_eq!(shown(builder.config(&config)), shown(expected));
    let after = ChatRateLimiter::builder().config(&config).headroom(Percent(1));
    assert!(shown(after).contains("Percent(1)"));
}
