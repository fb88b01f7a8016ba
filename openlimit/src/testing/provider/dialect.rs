//! `Dialect`: the provider whose headers and errors the replies have.
//!
//! The names and formats are the real ones, since readers depend on them: whether a reset is a Go
//! duration, a number of seconds or a date, and whether a wait is stated in milliseconds.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::account::Standing;
use super::text::{go_duration, rfc3339, seconds};
use crate::Dimension;

/// The names and formats of a [`Provider`](crate::testing::Provider)'s headers and errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// `x-ratelimit-remaining-tokens`, a reset such as `6m0s`, and the wait also in milliseconds.
    #[default]
    OpenAi,
    /// OpenAI's names, with the reset in seconds and the time that is counted over
    /// (`x-ratelimit-renewalperiod-requests`).
    Azure,
    /// `anthropic-ratelimit-input-tokens-remaining`, with the reset as a date, and tokens rounded
    /// to thousands. The wait is in seconds.
    Anthropic,
    /// OpenAI's names and durations. The wait is in seconds.
    Groq,
    /// No header about limits. A refusal is a status and a few words, without a wait.
    Bare,
}

/// The headers of a reply.
pub(super) type Headers = Vec<(String, String)>;

impl Dialect {
    /// Returns the headers about the limits. `date` is the date of the reply.
    pub(super) fn limits(self, standings: &[Standing], date: SystemTime) -> Headers {
        let mut headers = Headers::new();
        for standing in standings {
            let name = standing.dimension.name();
            match self {
                Self::OpenAi | Self::Groq => {
                    ratelimit(&mut headers, standing, &go_duration(standing.reset));
                }
                Self::Azure => {
                    ratelimit(&mut headers, standing, &seconds(standing.reset).to_string());
                    let window = seconds(standing.window).to_string();
                    headers.push((format!("x-ratelimit-renewalperiod-{name}"), window));
                }
                Self::Anthropic => {
                    let name = name.replace('_', "-");
                    let remaining = match standing.dimension {
                        Dimension::Requests => standing.remaining,
                        _ => standing.remaining.saturating_add(500) / 1_000 * 1_000,
                    };
                    let mut put = |part, value| {
                        headers.push((format!("anthropic-ratelimit-{name}-{part}"), value));
                    };
                    put("limit", standing.limit.to_string());
                    put("remaining", remaining.to_string());
                    put("reset", rfc3339(date + standing.reset));
                }
                Self::Bare => {}
            }
        }
        headers
    }

    /// Returns the headers that state a wait.
    pub(super) fn wait(self, wait: Duration) -> Headers {
        let mut headers = Headers::new();
        if self != Self::Bare {
            headers.push(("retry-after".into(), seconds(wait).to_string()));
        }
        if matches!(self, Self::OpenAi | Self::Azure) {
            headers.push(("retry-after-ms".into(), wait.as_nanos().div_ceil(1_000_000).to_string()));
        }
        headers
    }

    /// Returns the body of an error.
    pub(super) fn error(self, message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Value {
        match self {
            Self::Anthropic => {
                json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": null })
            }
            Self::Azure => json!({ "error": { "code": code.unwrap_or(kind), "message": message } }),
            Self::OpenAi | Self::Groq | Self::Bare => {
                json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
            }
        }
    }
}

/// Adds `x-ratelimit-{limit,remaining,reset}-..`.
fn ratelimit(headers: &mut Headers, standing: &Standing, reset: &str) {
    // Providers of these names write `input-tokens` where they have such a limit.
    let name = standing.dimension.name().replace('_', "-");
    let parts = [("limit", standing.limit.to_string()), ("remaining", standing.remaining.to_string())];
    headers.extend(parts.map(|(part, value)| (format!("x-ratelimit-{part}-{name}"), value)));
    headers.push((format!("x-ratelimit-reset-{name}"), reset.to_owned()));
}
