//! `ErrorReply`: a reply that is an error, with OpenAI's wording and headers.
//!
//! Clients parse these texts. Where a client library discards the headers, the message of a 429 is
//! the only source of the numbers. So the wording is OpenAI's, letter by letter.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::account::Exceeded;
use crate::{Dimension, Limit, ParamsError};

/// An error reply.
#[derive(Debug)]
pub(super) struct ErrorReply {
    pub(super) status: StatusCode,
    /// For a 429, the time to wait; `None` if waiting does not help.
    pub(super) wait: Option<Duration>,
    /// For a 405, the method that the path accepts.
    pub(super) allowed: Option<&'static str>,
    message: String,
    kind: &'static str,
    param: Option<String>,
    code: Option<&'static str>,
}

impl ErrorReply {
    /// Returns the body: `{"error": {"message", "type", "param", "code"}}`.
    pub(super) fn body(&self) -> Value {
        let Self { message, kind, param, code, .. } = self;
        json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
    }

    /// Creates a 429.
    pub(super) fn refused(model: &str, refusal: &Exceeded) -> Self {
        let Exceeded { limit, used, requested, wait } = refusal;
        let dimension = limit.dimension();
        let on = format!("for {model} in organization org-openlimit on {dimension} per {}", period(limit));
        let amount = limit.rate().amount();
        let message = match wait {
            Some(wait) => format!(
                "Rate limit reached {on}: Limit {amount}, Used {used}, Requested {requested}. \
                 Please try again in {}. Visit https://platform.openai.com/account/rate-limits to learn more.",
                go_duration(*wait)
            ),
            None => format!(
                "Request too large {on}: Limit {amount}, Requested {requested}. \
                 The input or output tokens must be reduced in order to run successfully. \
                 Visit https://platform.openai.com/account/rate-limits to learn more."
            ),
        };
        let kind = if *dimension == Dimension::Requests { "requests" } else { "tokens" };
        let status = StatusCode::TOO_MANY_REQUESTS;
        let code = Some("rate_limit_exceeded");
        Self { status, wait: *wait, kind, code, ..Self::invalid(message) }
    }

    pub(super) fn unreadable() -> Self {
        Self::invalid(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your \
             HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
        )
    }

    pub(super) fn no_model() -> Self {
        Self::invalid("you must provide a model parameter")
    }

    pub(super) fn missing(field: &str) -> Self {
        Self::invalid(format!("Missing required parameter: '{field}'."))
            .about(field, "missing_required_parameter")
    }

    pub(super) fn wrong_type(field: &str, expected: &str) -> Self {
        Self::invalid(format!("Invalid type for '{field}': expected {expected}."))
            .about(field, "invalid_type")
    }

    pub(super) fn out_of_range(field: &str, problem: &str) -> Self {
        Self::invalid(format!("Invalid value for '{field}': {problem}.")).about(field, "invalid_value")
    }

    /// Creates the reply to params that cannot be priced.
    pub(super) fn params(error: &ParamsError) -> Self {
        Self::invalid(error.to_string()).about(error.field(), "invalid_value")
    }

    pub(super) fn no_such_path(method: &str, path: &str) -> Self {
        Self::invalid(format!("Invalid URL ({method} {path})")).with(StatusCode::NOT_FOUND)
    }

    pub(super) fn wrong_method(method: &str, path: &str, allowed: &'static str) -> Self {
        let wrong = Self::invalid(format!(
            "Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
        ));
        Self { allowed: Some(allowed), ..wrong.with(StatusCode::METHOD_NOT_ALLOWED) }
    }

    pub(super) fn no_key() -> Self {
        Self::invalid(
            "You didn't provide an API key. You need to provide your API key in an Authorization header using \
             Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        )
        .with(StatusCode::UNAUTHORIZED)
    }

    /// Creates the reply to a wrong key. It does not repeat the key, which may be a real one.
    pub(super) fn wrong_key() -> Self {
        let wrong = Self::invalid("Incorrect API key provided.").with(StatusCode::UNAUTHORIZED);
        Self { code: Some("invalid_api_key"), ..wrong }
    }

    pub(super) fn oversized(most: usize) -> Self {
        Self::invalid(format!("The request body is larger than {most} bytes."))
            .with(StatusCode::PAYLOAD_TOO_LARGE)
    }

    pub(super) fn cut_short() -> Self {
        Self::invalid("The request body ended early.")
    }

    pub(super) fn server_error() -> Self {
        let error = Self::invalid("The server had an error while processing your request. Sorry about that!");
        Self { kind: "server_error", ..error.with(StatusCode::INTERNAL_SERVER_ERROR) }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            wait: None,
            allowed: None,
            message: message.into(),
            kind: "invalid_request_error",
            param: None,
            code: None,
        }
    }

    fn with(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    fn about(self, field: &str, code: &'static str) -> Self {
        Self { param: Some(field.to_owned()), code: Some(code), ..self }
    }
}

/// Returns the period as OpenAI writes it: the `min (TPM)` of `tokens per min (TPM)`.
fn period(limit: &Limit) -> String {
    let initial = if *limit.dimension() == Dimension::Requests { 'R' } else { 'T' };
    let period = limit.rate().period();
    match period.as_millis() {
        1_000 => format!("sec ({initial}PS)"),
        60_000 => format!("min ({initial}PM)"),
        3_600_000 => format!("hour ({initial}PH)"),
        86_400_000 => format!("day ({initial}PD)"),
        _ => format!("{period:?}"),
    }
}

/// Returns a time as Go's `time.Duration` prints it: `17ms`, `8.64s`, `6m0s`, `23h18m29.144s`.
///
/// In whole milliseconds, rounded up, so that waiting that long is enough.
pub(super) fn go_duration(time: Duration) -> String {
    let millis = time.as_nanos().div_ceil(1_000_000);
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let seconds = format!("{}.{:03}", rest / 1_000, rest % 1_000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    match (minutes / 60, minutes % 60) {
        (0, 0) if millis == 0 => "0s".to_owned(),
        (0, 0) if millis < 1_000 => format!("{millis}ms"),
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rate;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (micros, text) in [
            (0, "0s"),
            (1, "1ms"),
            (17_000, "17ms"),
            (1_000_000, "1s"),
            (1_569_000, "1.569s"),
            (8_640_000, "8.64s"),
            (10_000_000, "10s"),
            (60_000_000, "1m0s"),
            (360_000_000, "6m0s"),
            (179_560_000, "2m59.56s"),
            (252_172_000, "4m12.172s"),
            (3_600_000_000, "1h0m0s"),
            (83_909_144_000, "23h18m29.144s"),
        ] {
            assert_eq!(go_duration(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn a_refusal_is_worded_as_openai_words_it() {
        let limit = Limit::new(Dimension::Tokens, Rate::per_minute(40_000));
        let wait = Some(Duration::from_millis(1_569));
        let refusal = Exceeded { limit, used: 39_729, requested: 1_317, wait };
        let error = ErrorReply::refused("gpt-4", &refusal);
        assert_eq!(
            error.body(),
            json!({ "error": {
                "message": "Rate limit reached for gpt-4 in organization org-openlimit on tokens per min (TPM): \
                    Limit 40000, Used 39729, Requested 1317. Please try again in 1.569s. \
                    Visit https://platform.openai.com/account/rate-limits to learn more.",
                "type": "tokens",
                "param": null,
                "code": "rate_limit_exceeded",
            }})
        );
    }

    #[test]
    fn a_limit_is_named_by_its_period() {
        let period =
            |dimension, seconds| period(&Limit::new(dimension, Rate::new(1, Duration::from_secs(seconds))));
        assert_eq!(period("tokens", 60), "min (TPM)");
        assert_eq!(period("requests", 60), "min (RPM)");
        assert_eq!(period("requests", 86_400), "day (RPD)");
        assert_eq!(period("tokens", 10), "10s");
    }
}
