//! Tests of `LimiterConfig`: limiters from TOML, JSON and YAML.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod errors;
mod formats;
mod rate;
mod same;
