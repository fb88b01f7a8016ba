//! The codes and phrases by which providers say why they refuse a call.
//!
//! A code is exact, so it counts everywhere. A phrase is a part of a sentence. If several kinds are
//! found, the one that forbids most wins: a call that is too large must not be sent again, however
//! its error is called.

use super::denial::DenialKind::{self, Exhausted, Overloaded, RateLimited, SlowDown, TooLarge};

/// Returns the kind of a code, type or status in an error body, or of AWS's error type.
pub(super) fn kind_of_code(code: &[u8]) -> Option<DenialKind> {
    // AWS: `ThrottlingException:http://..` in the header, `com.amazon..#ThrottlingException` in the
    // body.
    let code = code.rsplit(|byte| *byte == b'#').next()?;
    let code = code.split(|byte| *byte == b':').next()?;
    Some(match code {
        // OpenAI, its imitators, and Anthropic.
        b"context_length_exceeded"
        | b"max_tokens_per_request"
        | b"request_too_large"
        | b"string_above_max_length"
        | b"exceed_context_size_error" => TooLarge,
        b"insufficient_quota"
        | b"credit_balance_exhausted"
        | b"organization_spend_limit_exceeded"
        | b"project_spend_limit_exceeded"
        | b"organization_usage_limit_exceeded"
        | b"billing_hard_limit_reached"
        | b"enforced_spend_limit_reached"
        | b"billing_error" => Exhausted,
        b"slow_down" => SlowDown,
        // Alibaba and Volcano: the rate grows too fast.
        b"limit_burst_rate" => SlowDown,
        b"resource_unavailable" | b"server_is_overloaded" | b"overloaded_error" => Overloaded,
        b"rate_limit_exceeded"
        | b"rate_limit_error"
        | b"rate_limited"
        | b"rate_limit_reached"
        | b"too_many_requests" => RateLimited,
        // Groq's flex tier.
        b"capacity_exceeded" => Overloaded,
        // Moonshot.
        b"exceeded_current_quota_error" => Exhausted,
        b"engine_overloaded_error" => Overloaded,
        b"rate_limit_reached_error" => RateLimited,
        // Gemini and Vertex.
        b"RESOURCE_EXHAUSTED" => RateLimited,
        // Bedrock.
        b"ServiceQuotaExceededException" => Exhausted,
        b"ModelNotReadyException" | b"ServiceUnavailableException" => Overloaded,
        b"ThrottlingException" | b"TooManyRequestsException" => RateLimited,
        _ => return None,
    })
}

/// Says that a quota is used up; but Gemini begins every refusal with it.
const VAGUE_QUOTA: &str = "exceeded your current quota";

/// Say that a request is too large if it is invalid, but also that a limit is reached.
const VAGUE_SIZE: [&str; 3] = ["too many tokens", "exceeds the limit of ", "token limit exceeded"];

/// Phrases in lower case, and their kinds, from the one that forbids most to the one that forbids
/// least.
const PHRASES: &[(&str, DenialKind)] = &[
    ("request too large", TooLarge),
    ("request_too_large", TooLarge),
    ("request entity too large", TooLarge),
    ("max_tokens_per_request", TooLarge),
    ("tokens per request", TooLarge),
    ("prompt is too long", TooLarge),
    ("prompt too long", TooLarge),
    ("prompt exceeds the length limit", TooLarge),
    ("prompt exceeds max length", TooLarge),
    ("prompt exceeds maximum context", TooLarge),
    ("maximum prompt length is", TooLarge),
    ("input is too long", TooLarge),
    ("input length exceeds", TooLarge),
    ("input token count", TooLarge),
    ("too many input tokens", TooLarge),
    ("context_length_exceeded", TooLarge),
    ("context length exceeded", TooLarge),
    ("maximum context length", TooLarge),
    ("max_context_length", TooLarge),
    ("maximum model length is", TooLarge),
    ("maximum allowed input length", TooLarge),
    ("range of input length should be", TooLarge),
    ("greater than the context length", TooLarge),
    ("than the model's context length", TooLarge),
    ("than the models context length", TooLarge),
    ("exceeded context length", TooLarge),
    ("exceeded max context length", TooLarge),
    ("but the configured context size is", TooLarge),
    ("context length is only", TooLarge),
    ("exceeds the context window", TooLarge),
    ("context window exceeds", TooLarge),
    ("exceeds model context window", TooLarge),
    ("model_context_window_exceeded", TooLarge),
    ("exceeds the available context size", TooLarge),
    ("context size has been exceeded", TooLarge),
    ("exceeded model token limit", TooLarge),
    ("exceeds the maximum number of tokens", TooLarge),
    ("more than max tokens allowed", TooLarge),
    ("reduce the length of the messages", TooLarge),
    ("reduce the length of your prompt", TooLarge),
    ("too large for model", TooLarge),
    ("insufficient_quota", Exhausted),
    ("spend limit", Exhausted),
    ("spending cap", Exhausted),
    ("spending limit", Exhausted),
    ("api usage limits", Exhausted),
    ("credit balance is too low", Exhausted),
    ("credits are depleted", Exhausted),
    ("insufficient balance", Exhausted),
    ("insufficient credits", Exhausted),
    ("billing hard limit", Exhausted),
    ("out of call volume quota", Exhausted),
    ("quota is exceeded", Exhausted),
    ("usage increase rate", SlowDown),
    ("acceleration limit", SlowDown),
    ("rate increased too quickly", SlowDown),
    ("overloaded", Overloaded),
    ("experiencing high demand", Overloaded),
    ("rate limit", RateLimited),
    ("rate-limit", RateLimited),
    ("rate_limit", RateLimited),
    ("too many requests", RateLimited),
    ("too many tokens", RateLimited),
    ("throttlingexception", RateLimited),
    ("resource_exhausted", RateLimited),
    ("resource exhausted", RateLimited),
    ("resource has been exhausted", RateLimited),
    ("quota exceeded for", RateLimited),
];

/// Returns the kind of a sentence.
pub(super) fn kind_of_sentence(sentence: &[u8]) -> Option<DenialKind> {
    PHRASES.iter().find(|(phrase, _)| find(sentence, phrase).is_some()).map(|(_, kind)| *kind)
}

/// Returns whether a sentence may say that a quota is used up. It does not if the response names a
/// violated limit or a wait.
pub(super) fn may_be_exhausted(sentence: &[u8]) -> bool {
    find(sentence, VAGUE_QUOTA).is_some()
}

/// Returns whether a sentence may say that a request is too large. It does if the request is
/// invalid. Bedrock throttles with the same words.
pub(super) fn may_be_too_large(sentence: &[u8]) -> bool {
    VAGUE_SIZE.iter().any(|phrase| find(sentence, phrase).is_some())
}

/// Returns the position behind `phrase`, which is in lower case, in any case in `text`.
pub(super) fn find(text: &[u8], phrase: &str) -> Option<usize> {
    let phrase = phrase.as_bytes();
    let first = *phrase.first()?;
    let starts = |at: &usize| {
        text[*at].to_ascii_lowercase() == first
            && text.get(*at..*at + phrase.len()).is_some_and(|part| part.eq_ignore_ascii_case(phrase))
    };
    (0..text.len()).find(starts).map(|at| at + phrase.len())
}

/// Returns the kind that forbids more.
pub(super) fn stricter(one: Option<DenialKind>, other: Option<DenialKind>) -> Option<DenialKind> {
    let strictness = |kind: &DenialKind| match kind {
        TooLarge => 5,
        Exhausted => 4,
        SlowDown => 3,
        Overloaded => 2,
        RateLimited => 1,
        DenialKind::Other => 0,
    };
    one.into_iter().chain(other).max_by_key(strictness)
}
