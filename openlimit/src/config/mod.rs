//! `LimiterConfig`: the options of a limiter as data, from TOML, JSON or YAML.
//!
//! A config is a list of keys with their values, and each becomes a call of the builder's method of
//! that name, as in `limiter!`. So the three ways to write a limiter cannot differ, and the builder
//! checks all of them in one place.
//!
//! | file | contains |
//! | --- | --- |
//! | `keys` | the keys, and the type of each |
//! | `value` | a value of any format, before its type is known |
//! | `read` | the types that a value is read as |
//! | `prices` | a file of prices |
//! | `redis` | the settings of a shared limiter |

mod keys;
#[cfg(feature = "tokenizers")]
mod prices;
mod read;
#[cfg(feature = "redis")]
mod redis;
mod value;

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};

use self::keys::Setting;
use self::value::read_with;
use crate::limiter::Builder;

/// The options of a limiter, read by [serde] from TOML, JSON, YAML, or any other self-describing
/// format.
///
/// Its keys are those of [`limiter!`](crate::limiter) that are not code. Pass it to
/// [`Builder::config`], or as the key `config` of `limiter!`: for one limiter, or for a
/// [`Keyed`](crate::Keyed), which also takes `max_keys`.
///
/// ```toml
/// [chat]
/// requests = ["500 / minute", "10_000 / day"]
/// tokens = "30_000 / minute"
/// burst = "500 ms"
/// headroom = "5 %"
/// redis = { env = "REDIS_URL", on_outage = "25 %" }
/// ```
///
/// ```
/// use openlimit::{LimiterConfig, RateLimiter};
/// use std::collections::HashMap;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let file = r#"{ "chat": { "requests": "500 / minute" } }"#;
/// let limiters: HashMap<String, LimiterConfig> = serde_json::from_str(file)?;
/// // What is not data, such as a tokenizer, is added here.
/// let chat = RateLimiter::builder().config(&limiters["chat"]).name("chat").build()?;
/// # Ok(())
/// # }
/// ```
///
/// # Values
///
/// | type | is written as |
/// | --- | --- |
/// | rate | `"200 / minute"`, `"200 / 10 s"`, or `"1_000 / hour, burst 30 s"`; a list of them adds several limits |
/// | budget | `"$10 / day"`, as a rate |
/// | time | a number and a unit: `"500 ms"`, `"1.5 s"`, `"1m 30s"` |
/// | share | `5` or `"5 %"` |
/// | `concurrency` | `64`, or `"1..=64"` for `Concurrency::Adaptive` |
/// | `reserve` | `"20 % for high"` |
/// | variant of an enum | its name, in any case: `"InWindows"`, `"in_windows"` |
/// | `prices` | the path of a file, or `{ file = "data_slim.json", provider = "azure" }` |
/// | `limit` | a table of your own dimensions: `limit = { audio_seconds = "7_200 / hour" }` |
/// | `redis` | a URL, or a table: see below |
///
/// Integers, factors and booleans may be text as well, as in environment variables.
///
/// A table `redis` has one of the keys `url`, `cluster` (a list of URLs) and `env` (the variable
/// that holds the URL). All others are methods of `Redis`: `prefix`, `timeout`, `patience`,
/// `on_outage` (`"wait"`, or `"25 %"` for `OnOutage::Local`), `look_ahead`, `lease`,
/// `root_certificates` (PEM).
///
/// # Errors
///
/// An error names the key, the value, and what was expected. Unknown keys are errors: they are most
/// likely misspelt. What only the limiter as a whole can know, such as a burst that applies to no
/// limit, is a [`BuildError`](crate::BuildError).
///
/// ```
/// use openlimit::LimiterConfig;
///
/// let error = serde_json::from_str::<LimiterConfig>(r#"{"requets": "9 / second"}"#).unwrap_err();
/// assert!(error.to_string().starts_with("unknown key `requets`; did you mean `requests`?"));
/// let error = serde_json::from_str::<LimiterConfig>(r#"{"burst": 5}"#).unwrap_err();
/// assert!(error.to_string().starts_with(
///     "`burst`: expected a time such as `500 ms`, or `Observed`, found 5"
/// ));
/// ```
#[derive(Clone, Debug, Default)]
pub struct LimiterConfig {
    settings: Vec<Setting>,
}

impl<K, Keys> Builder<K, Keys> {
    /// Sets all options that a config has. Options that it does not have stay as they are, and its
    /// limits are added to those before.
    ///
    /// ```
    /// use openlimit::{LimiterConfig, RateLimiter, limiter};
    ///
    /// # fn read() -> serde_json::Result<LimiterConfig> {
    /// #     serde_json::from_str(r#"{"requests": "200 / minute"}"#)
    /// # }
    /// limiter! {
    ///     static CHAT: RateLimiter = { config: &read()? };
    /// }
    /// # CHAT.init().unwrap();
    /// ```
    pub fn config(self, config: &LimiterConfig) -> Self {
        config.settings.iter().cloned().fold(self, |builder, setting| setting.apply(builder))
    }
}

impl<'de> Deserialize<'de> for LimiterConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

/// Reads the keys of a config.
struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = LimiterConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the keys of a limiter, such as `requests`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LimiterConfig, A::Error> {
        let mut settings = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            settings.push((keys::place(&key), map.next_value_seed(Key(&key))?));
        }
        // Some formats lose the order of the keys. All are to make the same limiter.
        settings.sort_by_key(|(place, _)| *place);
        Ok(LimiterConfig { settings: settings.into_iter().flat_map(|(_, settings)| settings).collect() })
    }
}

/// Reads the value of a key.
struct Key<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Vec<Setting>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Setting>, D::Error> {
        read_with(deserializer, |value| Setting::read(self.0, value))
    }
}
