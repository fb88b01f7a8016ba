//! Reads a value as the type of its key.
//!
//! A type is text in the form in which people write it, or what the format has for it. Each type
//! says what it expects, so that an error can.

use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer};

use super::value::{Value, read_with};
use crate::limiter::{Burst, Overflow};
use crate::limits::{Budget, Concurrency, Counting, Dimension, Limit, Percent, Priority, Rate, duration};

/// A type that a value can be read as.
pub(super) trait Read: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// What was expected, and what was found.
    fn read(value: Value) -> Result<Self, String>;

    /// Reads a value that stands for any number of this type.
    fn read_several(value: Value) -> Result<Vec<Self>, String> {
        Ok(vec![Self::read(value)?])
    }
}

/// Reads a value of type `T`, if it is text that `read` accepts.
pub(super) fn text<T>(
    value: &Value,
    expected: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, String> {
    let read = if let Value::Text(text) = value { read(text.trim()) } else { None };
    read.ok_or_else(|| value.mismatch(expected))
}

/// Reads rates by their own `FromStr`: one, or a list.
macro_rules! rates {
    ($($type:ty: $expected:literal;)+) => {$(
        impl Read for $type {
            fn read(value: Value) -> Result<Self, String> {
                match value {
                    Value::Text(rate) => rate.parse::<Self>().map_err(|error| error.to_string()),
                    other => Err(other.mismatch($expected)),
                }
            }

            fn read_several(value: Value) -> Result<Vec<Self>, String> {
                match value {
                    Value::List(rates) => rates.into_iter().map(Self::read).collect(),
                    rate => Ok(vec![Self::read(rate)?]),
                }
            }
        }
    )+};
}

rates! {
    Rate: "a rate such as `200 / minute`";
    Budget: "a budget such as `$10 / day`";
}

/// Limits stand in a table, under the names of their dimensions.
impl Read for Limit {
    fn read(value: Value) -> Result<Self, String> {
        Err(no_dimensions(&value))
    }

    fn read_several(value: Value) -> Result<Vec<Self>, String> {
        let Value::Table(dimensions) = value else { return Err(no_dimensions(&value)) };
        let mut limits = Vec::new();
        for (dimension, rates) in dimensions {
            // In its own unit, which is millionths of a dollar, money would be read wrong.
            let rates = match Dimension::from(dimension.clone()) {
                Dimension::Spend => {
                    Budget::read_several(rates).map(|budgets| budgets.into_iter().map(Budget::rate).collect())
                }
                _ => Rate::read_several(rates),
            };
            let rates: Vec<_> = rates.map_err(|problem| format!("`{dimension}`: {problem}"))?;
            let dimension = Dimension::from(dimension);
            limits.extend(rates.into_iter().map(|rate| Self::new(dimension.clone(), rate)));
        }
        Ok(limits)
    }
}

fn no_dimensions(value: &Value) -> String {
    value.mismatch("a table of dimensions, such as `{ audio_seconds = \"7_200 / hour\" }`")
}

impl Read for Duration {
    fn read(value: Value) -> Result<Self, String> {
        text(&value, "a time such as `500 ms`", |time| duration::with_units(time.as_bytes()))
    }
}

impl Read for Burst {
    fn read(value: Value) -> Result<Self, String> {
        text(&value, "a time such as `500 ms`, or `Observed`", |burst| {
            let time = duration::with_units(burst.as_bytes()).map(Self::Time);
            time.or_else(|| is_named(burst, "Observed").then_some(Self::Observed))
        })
    }
}

impl Read for Percent {
    fn read(value: Value) -> Result<Self, String> {
        let percent = match &value {
            Value::Integer(percent) => u8::try_from(*percent).ok(),
            Value::Text(text) => {
                let text = text.trim();
                text.strip_suffix('%').unwrap_or(text).trim_end().parse().ok()
            }
            _ => None,
        };
        percent.map(Self).ok_or_else(|| value.mismatch("a whole number of percent such as `5` or `5 %`"))
    }
}

/// A reserve is `20 % for high`.
impl Read for (Priority, Percent) {
    fn read(value: Value) -> Result<Self, String> {
        text(&value, "a part and a priority such as `20 % for high`", |reserve| {
            let (part, priority) = reserve.split_once(" for ")?;
            let priority = Priority::read(Value::Text(priority.into())).ok()?;
            Some((priority, Percent::read(Value::Text(part.into())).ok()?))
        })
    }
}

impl Read for Concurrency {
    fn read(value: Value) -> Result<Self, String> {
        let concurrency = match &value {
            Value::Integer(calls) => u32::try_from(*calls).ok().map(Self::Fixed),
            Value::Text(text) => match text.split_once("..=") {
                Some((least, most)) => {
                    let ends = least.trim().parse().ok().zip(most.trim().parse().ok());
                    ends.map(|(least, most)| Self::Adaptive(least..=most))
                }
                None => text.trim().parse().ok().map(Self::Fixed),
            },
            _ => None,
        };
        concurrency
            .ok_or_else(|| value.mismatch("a number of calls such as `64`, or a range such as `1..=64`"))
    }
}

impl Read for bool {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::Bool(value) => Ok(value),
            other => text(&other, "`true` or `false`", |text| text.parse().ok()),
        }
    }
}

impl Read for u64 {
    fn read(value: Value) -> Result<Self, String> {
        integer(value)
    }
}

impl Read for usize {
    fn read(value: Value) -> Result<Self, String> {
        integer(value)
    }
}

/// Reads a non-negative integer.
fn integer<N: TryFrom<i128> + FromStr>(value: Value) -> Result<N, String> {
    const EXPECTED: &str = "a non-negative integer";
    match value {
        Value::Integer(number) => N::try_from(number).map_err(|_| value.mismatch(EXPECTED)),
        other => text(&other, EXPECTED, |text| text.parse().ok()),
    }
}

impl Read for f64 {
    #[allow(clippy::cast_precision_loss, reason = "a factor is a small number")]
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::Float(number) => Ok(number),
            Value::Integer(number) => Ok(number as Self),
            other => text(&other, "a number", |text| text.parse().ok()),
        }
    }
}

impl Read for String {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::Text(text) => Ok(text),
            other => Err(other.mismatch("text")),
        }
    }
}

/// Returns whether `text` is this name, in any case: `InWindows`, `in_windows` or `in-windows`.
pub(super) fn is_named(text: &str, name: &str) -> bool {
    let letters = text.chars().filter(|letter| !matches!(letter, '_' | '-'));
    letters
        .map(|letter| letter.to_ascii_lowercase())
        .eq(name.chars().map(|letter| letter.to_ascii_lowercase()))
}

/// Reads enums by the names of their variants.
macro_rules! by_name {
    ($($(#[$attr:meta])? $type:ty: $expected:literal, $($variant:ident),+;)+) => {$(
        $(#[$attr])?
        impl Read for $type {
            fn read(value: Value) -> Result<Self, String> {
                text(&value, $expected, |name| {
                    let variants = [$((stringify!($variant), Self::$variant)),+];
                    let meant = variants.into_iter().find(|(variant, _)| is_named(name, variant));
                    meant.map(|(_, variant)| variant)
                })
            }
        }
    )+};
}

by_name! {
    Counting: "`Refilling` or `InWindows`", Refilling, InWindows;
    Priority: "`High`, `Normal` or `Low`", High, Normal, Low;
    Overflow: "`RejectNew`, `DropOldest` or `DropLowest`", RejectNew, DropOldest, DropLowest;
    #[cfg(feature = "tokenizers")]
    crate::learning::Output: "`Named` or `Learned`", Named, Learned;
    #[cfg(feature = "tokenizers")]
    crate::learning::Input: "`Counted` or `Learned`", Counted, Learned;
    #[cfg(feature = "tokenizers")]
    crate::pricing::tokens::Charge: "`Sum` or `OpenAi`", Sum, OpenAi;
}

/// Reads the text of [`Rate::from_str`](std::str::FromStr).
impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_with(deserializer, Self::read)
    }
}
