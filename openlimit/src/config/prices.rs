//! Reads prices: the path of a file, or a table that also names the provider.

use super::keys::unknown_key;
use super::read::Read;
use super::value::Value;
use crate::pricing::money::Prices;

/// The keys of a table.
const KEYS: [&str; 2] = ["file", "provider"];

impl Read for Prices {
    fn read(value: Value) -> Result<Self, String> {
        let (mut file, mut provider) = (None, None);
        match value {
            Value::Text(path) => file = Some(path),
            Value::Table(entries) => {
                for (key, value) in entries {
                    let place = match key.as_str() {
                        "file" => &mut file,
                        "provider" => &mut provider,
                        _ => return Err(unknown_key(&key, KEYS.into_iter())),
                    };
                    *place = Some(String::read(value).map_err(|problem| format!("`{key}`: {problem}"))?);
                }
            }
            other => return Err(other.mismatch("the path of a file, or a table of `file` and `provider`")),
        }
        let prices = Self::from_file(file.ok_or("expected a key `file`, found none")?);
        let prices = match provider {
            Some(provider) => prices.and_then(|prices| prices.provider(&provider)),
            None => prices,
        };
        prices.map_err(|error| error.to_string())
    }
}
