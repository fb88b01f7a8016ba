//! The keys of a config. A key is one line here.
//!
//! Its value is read as the type beside it, and passed to the builder's method of the same name, or
//! to the one that the line names. A test compares the keys with those of `limiter!`.

use std::time::Duration;

use super::read::Read;
use super::value::Value;
use crate::limiter::{Builder, Burst, Overflow};
use crate::limits::{Budget, Concurrency, Counting, Limit, Percent, Priority, Rate};

/// The methods of the builder that take code, and the config itself. They are no keys.
const NO_DATA: [&str; 7] = ["tokenizer", "price", "on_wait", "clock", "config", "limits", "key_name"];

/// Calls the method of a key, which has the key's name unless another one is given.
macro_rules! call {
    ($builder:ident $key:ident $value:ident) => {
        $builder.$key($value)
    };
    ($builder:ident $key:ident $value:ident $method:ident) => {
        $builder.$method($value)
    };
}

/// Declares the keys: `key: Type`, `key: Type, "feature"` if the method needs a feature, or
/// `key: Type => method` if it has another name.
macro_rules! keys {
    ($($key:ident: $type:ty $(, $feature:literal)? $(=> $method:ident)?;)+) => {
        /// A key of a config, with its value.
        #[derive(Clone, Debug)]
        #[allow(non_camel_case_types, reason = "named as the keys")]
        pub(super) enum Setting {
            $($(#[cfg(feature = $feature)])? $key($type),)+
        }

        /// The keys, and the features that each needs: one or none.
        const KEYS: &[(&str, &[&str])] = &[$((stringify!($key), &[$($feature)?]),)+];

        impl Setting {
            /// Reads the value of a key. A list of rates becomes several settings.
            pub(super) fn read(key: &str, value: Value) -> Result<Vec<Self>, String> {
                match key {
                    $($(#[cfg(feature = $feature)])? stringify!($key) => read_all(key, value, Self::$key),)+
                    _ => Err(unknown(key)),
                }
            }

            /// Calls the builder's method.
            pub(super) fn apply<K, Keys>(self, builder: Builder<K, Keys>) -> Builder<K, Keys> {
                match self {
                    $($(#[cfg(feature = $feature)])? Self::$key(value) => call!(builder $key value $($method)?),)+
                }
            }
        }
    };
}

keys! {
    requests: Rate;
    tokens: Rate;
    input_tokens: Rate;
    output_tokens: Rate;
    images: Rate;
    spend: Budget;
    limit: Limit;
    burst: Burst;
    jitter: Duration;
    headroom: Percent;
    concurrency: Concurrency;
    counting: Counting;
    reserve: (Priority, Percent);
    refunds: bool;
    max_hold: Duration;
    max_waiting: usize;
    max_keys: usize => most_keys;
    overflow: Overflow;
    default_output: u64, "tokenizers";
    model: String, "tokenizers";
    input_factor: f64, "tokenizers";
    prices: crate::pricing::money::Prices, "tokenizers";
    output: crate::learning::Output, "tokenizers";
    input: crate::learning::Input, "tokenizers";
    admission: crate::pricing::tokens::Charge, "tokenizers";
    adopt_limits: bool;
    discover: bool;
    name: String;
    redis: crate::backend::Redis, "redis";
}

/// Reads the value of a key as settings. Errors name the key.
fn read_all<T: Read>(key: &str, value: Value, setting: fn(T) -> Setting) -> Result<Vec<Setting>, String> {
    let values = T::read_several(value).map_err(|problem| format!("`{key}`: {problem}"))?;
    Ok(values.into_iter().map(setting).collect())
}

/// Returns the place of a key among all of them.
pub(super) fn place(key: &str) -> Option<usize> {
    KEYS.iter().position(|(known, _)| *known == key)
}

/// Returns the error of a key that cannot be read.
fn unknown(key: &str) -> String {
    if NO_DATA.contains(&key) {
        return format!("`{key}` is not data; call the builder's method `{key}`");
    }
    match KEYS.iter().find(|(known, _)| *known == key) {
        Some((_, [feature])) => format!("`{key}` needs the feature `{feature}` of openlimit"),
        _ => unknown_key(key, KEYS.iter().map(|(known, _)| *known)),
    }
}

/// Returns the error of an unknown key. It suggests the nearest one, or lists them all.
pub(super) fn unknown_key(key: &str, known: impl Iterator<Item = &'static str> + Clone) -> String {
    let distances = known.clone().map(|known| (strsim::levenshtein(key, known), known));
    match distances.min().filter(|(distance, known)| *distance <= known.len() / 3) {
        Some((_, meant)) => format!("unknown key `{key}`; did you mean `{meant}`?"),
        None => {
            let known: Vec<_> = known.map(|known| format!("`{known}`")).collect();
            format!("unknown key `{key}`; the keys are {}", known.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{KEYS, NO_DATA};

    /// The list that `limiter!` shows for an unknown key.
    fn keys_of_limiter() -> BTreeSet<&'static str> {
        let source = include_str!("../macros/keys.rs");
        let listed = source.split_once("key $unknown, ").and_then(|(_, rest)| rest.split_once(')'));
        listed.expect("the list").0.split_whitespace().collect()
    }

    #[test]
    fn the_keys_are_those_of_limiter_unless_they_are_code() {
        let keys: BTreeSet<_> = KEYS.iter().map(|(key, _)| *key).chain(NO_DATA).collect();
        assert_eq!(keys, keys_of_limiter());
    }
}
