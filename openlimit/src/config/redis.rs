//! Reads the settings of a shared limiter: a URL, or a table.

use std::time::Duration;

use super::keys::unknown_key;
use super::read::{Read, is_named};
use super::value::Value;
use crate::backend::{OnOutage, Redis};
use crate::limits::Percent;

/// The keys that say which server it is.
const SERVERS: [&str; 3] = ["url", "cluster", "env"];

/// The methods of `Redis` that a table may call.
const OPTIONS: [&str; 7] =
    ["prefix", "timeout", "patience", "on_outage", "look_ahead", "lease", "root_certificates"];

impl Read for Redis {
    /// A problem never shows a URL, which may contain a password.
    fn read(value: Value) -> Result<Self, String> {
        const EXPECTED: &str = "a URL, or a table with one of the keys `url`, `cluster` and `env`";
        match value {
            Value::Text(url) => Ok(Self::new(url)),
            Value::Table(entries) => {
                let (servers, options): (Vec<_>, Vec<_>) =
                    entries.into_iter().partition(|(key, _)| SERVERS.contains(&key.as_str()));
                let [(key, server)] = <[_; 1]>::try_from(servers)
                    .map_err(|servers| format!("expected {EXPECTED}, found {} of them", servers.len()))?;
                let redis = named(&key, server, Self::of_server)?;
                options.into_iter().try_fold(redis, |redis, (key, value)| {
                    named(&key, value, |key, value| redis.with(key, value))
                })
            }
            other => Err(other.mismatch(EXPECTED)),
        }
    }
}

/// Reads the value of a key. The error names the key, unless the key is unknown.
fn named<T>(
    key: &str,
    value: Value,
    read: impl FnOnce(&str, Value) -> Result<T, String>,
) -> Result<T, String> {
    if !SERVERS.contains(&key) && !OPTIONS.contains(&key) {
        return Err(unknown_key(key, SERVERS.into_iter().chain(OPTIONS)));
    }
    read(key, value).map_err(|problem| format!("`{key}`: {problem}"))
}

impl Redis {
    /// Creates the settings for the server that one of [`SERVERS`] says.
    fn of_server(key: &str, value: Value) -> Result<Self, String> {
        match (key, value) {
            ("cluster", Value::List(urls)) => {
                let urls: Result<Vec<_>, _> = urls.into_iter().map(String::read).collect();
                Ok(Self::cluster(urls?))
            }
            ("cluster", Value::Text(url)) => Ok(Self::cluster([url])),
            ("cluster", other) => Err(other.mismatch("a list of URLs")),
            ("env", variable) => Ok(Self::from_env(&String::read(variable)?)),
            (_, url) => Ok(Self::new(String::read(url)?)),
        }
    }

    /// Calls the method that one of [`OPTIONS`] names.
    fn with(self, key: &str, value: Value) -> Result<Self, String> {
        Ok(match key {
            "prefix" => self.prefix(String::read(value)?),
            "timeout" => self.timeout(Duration::read(value)?),
            "patience" => self.patience(Duration::read(value)?),
            "on_outage" => self.on_outage(OnOutage::read(value)?),
            "look_ahead" => self.look_ahead(Duration::read(value)?),
            "lease" => self.lease(Duration::read(value)?),
            _ => self.root_certificates(String::read(value)?),
        })
    }
}

impl Read for OnOutage {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::Text(name) if is_named(&name, "Wait") => Ok(Self::Wait),
            other => {
                let expected = other.mismatch("`wait`, or a share such as `25 %`");
                Percent::read(other).map(Self::Local).map_err(|_| expected)
            }
        }
    }
}
