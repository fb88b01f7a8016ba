//! The words of refusals, in each dialect.
//!
//! Clients parse these texts. Where a client library discards the headers, the message of a 429 is
//! the only source of the numbers. So the wording is the real one, letter by letter.

use std::time::Duration;

use super::dialect::Dialect;
use super::error_reply::ErrorReply;
use super::refusal::{Exceeded, Refusal};
use super::text::{go_duration, grouped, seconds};
use crate::{Dimension, Limit};

/// Returns the reply to a call for `model`.
pub(super) fn reply(refusal: &Refusal, dialect: Dialect, model: &str) -> ErrorReply {
    match refusal {
        Refusal::Limit(exceeded) => limited(dialect, model, exceeded),
        Refusal::Quota(renewal) => exhausted(dialect, *renewal),
        Refusal::TooFast(wait) => too_fast(dialect, *wait),
    }
}

fn limited(dialect: Dialect, model: &str, refusal: &Exceeded) -> ErrorReply {
    let Exceeded { limit, used, requested, wait } = refusal;
    let dimension = limit.dimension();
    let (name, amount, period) = (dimension.name(), limit.rate().amount(), period(limit));
    let is_requests = *dimension == Dimension::Requests;
    let kind = if is_requests { "requests" } else { "tokens" };
    let more = "Visit https://platform.openai.com/account/rate-limits to learn more.";
    let code = "rate_limit_exceeded";
    let Some(wait) = *wait else {
        let message = match dialect {
            Dialect::OpenAi | Dialect::Azure => format!(
                "Request too large for {model} in organization org-openlimit on {name} per {period}: \
                 Limit {amount}, Requested {requested}. \
                 The input or output tokens must be reduced in order to run successfully. {more}"
            ),
            Dialect::Groq => format!(
                "Request too large for model `{model}` in organization `org_openlimit` on {name} per {period}: \
                 Limit {amount}, Requested {requested}, please reduce your message size and try again."
            ),
            Dialect::Anthropic => "Request exceeds the maximum size".to_owned(),
            Dialect::Bare => "Request Entity Too Large".to_owned(),
        };
        return match dialect {
            Dialect::OpenAi | Dialect::Azure => ErrorReply::new(429, kind, message).code(code),
            Dialect::Groq => ErrorReply::new(413, kind, message).code(code),
            Dialect::Anthropic => ErrorReply::new(413, "request_too_large", message),
            Dialect::Bare => ErrorReply::plain(413, message),
        };
    };
    let reply = match dialect {
        Dialect::OpenAi => {
            let message = format!(
                "Rate limit reached for {model} in organization org-openlimit on {name} per {period}: \
                 Limit {amount}, Used {used}, Requested {requested}. Please try again in {}. {more}",
                go_duration(wait)
            );
            ErrorReply::new(429, kind, message).code(code)
        }
        Dialect::Groq => {
            let about = if is_requests { "" } else { "~" };
            let message = format!(
                "Rate limit reached for model `{model}` in organization `org_openlimit` on {name} per {period}: \
                 Limit {amount}, Used {used}, Requested {about}{requested}. Please try again in {}. \
                 Visit https://console.groq.com/docs/rate-limits for more information.",
                go_duration(wait)
            );
            ErrorReply::new(429, kind, message).code(code)
        }
        Dialect::Azure => {
            let what = if is_requests { "call" } else { "token" };
            let message = format!(
                "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 \
                 have exceeded {what} rate limit of your current AIServices S0 pricing tier. \
                 Please retry after {} seconds.",
                seconds(wait)
            );
            ErrorReply::new(429, kind, message).code("429")
        }
        Dialect::Anthropic => {
            let message = format!(
                "This request would exceed your organization's rate limit of {} {} per {}. \
                 For details, refer to: https://docs.anthropic.com/en/api/rate-limits.",
                grouped(amount),
                name.replace('_', " "),
                period.split(' ').next().map_or("", |word| if word == "min" { "minute" } else { word })
            );
            ErrorReply::new(429, "rate_limit_error", message)
        }
        Dialect::Bare => ErrorReply::plain(429, "Too Many Requests"),
    };
    reply.wait(wait)
}

fn exhausted(dialect: Dialect, renewal: Option<Duration>) -> ErrorReply {
    let reply = match dialect {
        Dialect::OpenAi | Dialect::Azure | Dialect::Groq => ErrorReply::new(
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details. For more information \
             on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
        )
        .code("insufficient_quota"),
        Dialect::Anthropic => ErrorReply::new(
            429,
            "rate_limit_error",
            "This request would exceed your account's monthly spend limit. Please try again later.",
        ),
        Dialect::Bare => ErrorReply::plain(402, "Payment Required"),
    };
    match renewal {
        Some(renewal) => reply.wait(renewal),
        None => reply,
    }
}

fn too_fast(dialect: Dialect, wait: Duration) -> ErrorReply {
    let reply = match dialect {
        Dialect::OpenAi | Dialect::Azure | Dialect::Groq => ErrorReply::new(
            503,
            "rate_limit_error",
            "Slow down. A sudden increase in your request rate is impacting service reliability. \
             Please reduce your request rate to its original level, maintain a consistent rate for \
             at least 15 minutes, and then gradually increase it.",
        )
        .code("slow_down"),
        Dialect::Anthropic => ErrorReply::new(
            429,
            "rate_limit_error",
            "This request would exceed your organization's maximum usage increase rate for requests per \
             minute. Please scale up your requests usage more gradually to stay within the acceleration limit.",
        ),
        Dialect::Bare => ErrorReply::plain(503, "Service Unavailable"),
    };
    reply.wait(wait)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rate;
    use serde_json::json;

    #[test]
    fn a_refusal_is_worded_as_openai_words_it() {
        let limit = Limit::new(Dimension::Tokens, Rate::per_minute(40_000));
        let wait = Some(Duration::from_millis(1_569));
        let refusal = Refusal::Limit(Exceeded { limit, used: 39_729, requested: 1_317, wait });
        let error = reply(&refusal, Dialect::OpenAi, "gpt-4");
        let body: serde_json::Value =
            serde_json::from_str(&error.body(Dialect::OpenAi)).expect("the body is JSON");
        assert_eq!(
            body,
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
