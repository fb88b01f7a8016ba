//! The header names that are read, and the meaning of each. No other header is ever looked at.
//!
//! All providers share a few patterns, such as `x-ratelimit-{limit,remaining,reset}-{..}`. So the
//! list is made of parts, each of which is a word that some provider documents. A name that has
//! any other part is not in the list.

use std::time::Duration;

use crate::limits::Dimension;

/// Longer names are not read. The longest that a provider sends has 50 bytes.
const LONGEST: usize = 64;

/// The meaning of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Date,
    RetryAfter,
    RetryAfterMs,
    ShouldRetry,
    /// The type of an error of AWS, such as `ThrottlingException`.
    ErrorType,
    /// One number of one limit.
    Limit(LimitKey, Part),
    /// `RateLimit` or `RateLimit-Policy`: all limits, named by the server.
    Policies,
    /// A number of tokens that the call used.
    Used(UsedTokens),
}

/// The number of a limit that a header carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Limit,
    Remaining,
    Reset,
    /// The window, in seconds (Azure).
    Window,
    /// The used share of the limit (Anthropic's subscriptions).
    Utilization,
    /// `allowed` or `rejected` (Anthropic's subscriptions).
    Status,
}

/// The identity of a limit within one response: headers with the same key describe one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LimitKey {
    pub(super) family: Family,
    pub(super) what: What,
    /// In seconds; 0 if the name does not state it.
    pub(super) window: u32,
    /// Tells apart limits that are otherwise equal.
    pub(super) pool: u32,
}

/// The header names that a limit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `x-ratelimit-`, of nearly all.
    Generic,
    /// `x-tokenlimit-`, of Together.
    TokenLimit,
    Anthropic,
    AnthropicPriority,
    AnthropicFast,
    /// `ratelimit`, of the IETF's drafts.
    Ietf,
}

/// The unit that a limit counts, by the words of header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Requests,
    Tokens,
    /// OpenAI's limit of a project, beside that of the organization.
    ProjectTokens,
    /// OpenAI's second bucket of some models, charged by what was really used.
    UsageBasedTokens,
    InputTokens,
    /// Fireworks: the prompt without what its cache serves.
    UncachedInputTokens,
    OutputTokens,
    Images,
    /// Anthropic's subscriptions: everything together, in an unstated unit.
    Subscription,
}

impl What {
    pub(super) fn dimension(self) -> Dimension {
        match self {
            Self::Requests => Dimension::Requests,
            Self::Tokens | Self::ProjectTokens | Self::UsageBasedTokens => Dimension::Tokens,
            Self::InputTokens => Dimension::InputTokens,
            Self::OutputTokens => Dimension::OutputTokens,
            Self::Images => Dimension::Images,
            Self::UncachedInputTokens => Dimension::Custom("uncached_input_tokens".into()),
            Self::Subscription => Dimension::Custom("subscription".into()),
        }
    }
}

/// A number of tokens that a header carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsedTokens {
    Input,
    Prompt,
    Output,
    CacheRead,
    CacheWrite,
    Total,
}

impl LimitKey {
    pub(super) fn new(family: Family, what: What) -> Self {
        Self { family, what, window: 0, pool: 0 }
    }

    pub(super) fn window(self) -> Option<Duration> {
        (self.window > 0).then(|| Duration::from_secs(self.window.into()))
    }
}

/// Returns the meaning of a header; `None` if it must not be read.
pub(super) fn meaning(name: &[u8]) -> Option<Meaning> {
    if !matches!(name.first()?, b'x' | b'X' | b'a' | b'A' | b'r' | b'R' | b'd' | b'D' | b'f' | b'F') {
        return None;
    }
    let mut lower = [0; LONGEST];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let name = &*lower;
    if let Some(rest) = name.strip_prefix(b"x-ratelimit-").or_else(|| name.strip_prefix(b"x-rate-limit-")) {
        return generic(rest);
    }
    if let Some(rest) = name.strip_prefix(b"anthropic-") {
        return anthropic(rest);
    }
    if let Some(rest) = name.strip_prefix(b"x-tokenlimit-") {
        let (part, rest) = part(rest)?;
        let key = LimitKey { window: 1, ..LimitKey::new(Family::TokenLimit, What::Tokens) };
        return Some(Meaning::Limit(LimitKey { pool: dynamic(rest)?, ..key }, part));
    }
    if let Some(rest) = name.strip_prefix(b"ratelimit-") {
        if rest == b"policy" {
            return Some(Meaning::Policies);
        }
        let (part, rest) = part(rest)?;
        let key = LimitKey::new(Family::Ietf, What::Requests);
        return rest.is_empty().then_some(Meaning::Limit(key, part));
    }
    Some(match name {
        b"date" => Meaning::Date,
        b"retry-after" => Meaning::RetryAfter,
        b"retry-after-ms" => Meaning::RetryAfterMs,
        b"x-should-retry" => Meaning::ShouldRetry,
        b"ratelimit" => Meaning::Policies,
        b"x-amzn-errortype" => Meaning::ErrorType,
        b"x-amzn-bedrock-input-token-count" => Meaning::Used(UsedTokens::Input),
        b"x-amzn-bedrock-output-token-count" => Meaning::Used(UsedTokens::Output),
        b"x-amzn-bedrock-cache-read-input-token-count" => Meaning::Used(UsedTokens::CacheRead),
        b"x-amzn-bedrock-cache-write-input-token-count" => Meaning::Used(UsedTokens::CacheWrite),
        b"fireworks-prompt-tokens" => Meaning::Used(UsedTokens::Prompt),
        _ => return None,
    })
}

/// The scopes of LiteLLM's proxy. One call may be under a limit of each.
const SCOPES: [&[u8]; 8] = [
    b"api_key",
    b"user",
    b"team",
    b"team_member",
    b"organization",
    b"end_user",
    b"model_per_key",
    b"model_per_team",
];

/// The pool of Together's second set of limits, which follow the load. It is no index of `SCOPES`.
const DYNAMIC: u32 = 100;

/// The ends of names that state a window, in seconds. A month is 30 days.
const WINDOWS: [(&[u8], u32); 7] = [
    (b"-10-second", 10),
    (b"-second", 1),
    (b"-5-minute", 300),
    (b"-minute", 60),
    (b"-hour", 3_600),
    (b"-day", 86_400),
    (b"-month", 30 * 86_400),
];

/// Reads the rest of `x-ratelimit-`: `remaining-tokens`, `limit-req-minute`,
/// `api_key-limit-requests`.
fn generic(rest: &[u8]) -> Option<Meaning> {
    if rest == b"tokens-query-cost" {
        return Some(Meaning::Used(UsedTokens::Total));
    }
    let (pool, (part, rest)) = match part(rest) {
        Some(found) => (0, found),
        None => {
            let end = rest.iter().position(|byte| *byte == b'-')?;
            let scope = SCOPES.iter().position(|scope| *scope == &rest[..end])?;
            (u32::try_from(scope + 1).ok()?, self::part(&rest[end + 1..])?)
        }
    };
    if rest == b"-dynamic" {
        let pool = DYNAMIC;
        return Some(Meaning::Limit(
            LimitKey { pool, ..LimitKey::new(Family::Generic, What::Requests) },
            part,
        ));
    }
    let found = WINDOWS.iter().find_map(|(end, window)| Some((rest.strip_suffix(*end)?, *window)));
    let (rest, window) = found.unwrap_or((rest, 0));
    let what = match rest {
        b"" | b"-requests" | b"-req" => What::Requests,
        b"-tokens" => What::Tokens,
        b"-project-tokens" => What::ProjectTokens,
        b"-tokens_usage_based" => What::UsageBasedTokens,
        b"-input-tokens" | b"-tokens-prompt" => What::InputTokens,
        b"-output-tokens" | b"-tokens-generated" => What::OutputTokens,
        b"-tokens-cache-adjusted-prompt" => What::UncachedInputTokens,
        b"-images" => What::Images,
        _ => return None,
    };
    // Bare names are a limit of their own: a gateway may add them to those of the provider.
    let pool = if rest.is_empty() && pool == 0 { u32::MAX } else { pool };
    Some(Meaning::Limit(LimitKey { window, pool, ..LimitKey::new(Family::Generic, what) }, part))
}

/// Reads the rest of `anthropic-`.
fn anthropic(rest: &[u8]) -> Option<Meaning> {
    if let Some(rest) = rest.strip_prefix(b"ratelimit-unified-") {
        let (window, part) = match (rest.strip_prefix(b"5h-"), rest.strip_prefix(b"7d-")) {
            (Some(part), _) => (5 * 3_600, part),
            (_, Some(part)) => (7 * 86_400, part),
            _ => return None,
        };
        let part = match part {
            b"utilization" => Part::Utilization,
            b"reset" => Part::Reset,
            b"status" => Part::Status,
            _ => return None,
        };
        let key = LimitKey { window, ..LimitKey::new(Family::Anthropic, What::Subscription) };
        return Some(Meaning::Limit(key, part));
    }
    let families: [(&[u8], Family); 3] = [
        (b"ratelimit-", Family::Anthropic),
        (b"priority-", Family::AnthropicPriority),
        (b"fast-", Family::AnthropicFast),
    ];
    let (rest, family) =
        families.into_iter().find_map(|(start, family)| Some((rest.strip_prefix(start)?, family)))?;
    let end = rest.iter().rposition(|byte| *byte == b'-')?;
    let what = match &rest[..end] {
        b"requests" => What::Requests,
        b"tokens" => What::Tokens,
        b"input-tokens" => What::InputTokens,
        b"output-tokens" => What::OutputTokens,
        _ => return None,
    };
    let (part, rest) = part(&rest[end + 1..])?;
    rest.is_empty().then_some(Meaning::Limit(LimitKey::new(family, what), part))
}

/// Reads a part at the start of a name, up to its end or a hyphen, which stays in the rest.
fn part(name: &[u8]) -> Option<(Part, &[u8])> {
    let parts: [(&[u8], Part); 4] = [
        (b"limit", Part::Limit),
        (b"remaining", Part::Remaining),
        (b"reset", Part::Reset),
        (b"renewalperiod", Part::Window),
    ];
    let (part, rest) = parts.into_iter().find_map(|(word, part)| Some((part, name.strip_prefix(word)?)))?;
    matches!(rest.first(), None | Some(b'-')).then_some((part, rest))
}

/// Returns the pool of Together's limits: those that follow the load, or the others.
fn dynamic(rest: &[u8]) -> Option<u32> {
    match rest {
        b"" => Some(0),
        b"-dynamic" => Some(DYNAMIC),
        _ => None,
    }
}
