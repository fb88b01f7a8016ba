//! Measures how long it takes to read a response: its headers, its usage, and a refusal.
//!
//! `cargo bench -p openlimit-benches --bench feedback`. Every call pays for its headers, so they
//! have an aim: one microsecond. Each time is the fastest of many rounds, since other work on the
//! machine only adds.

use std::hint::black_box;
use std::time::Instant;

use openlimit::Usage;
use openlimit::feedback::Observation;
use openlimit_benches::Line;

/// The headers of a response of OpenAI's. Most are about other things.
const OPENAI: [(&str, &str); 22] = [
    ("date", "Thu, 21 Aug 2025 12:41:00 GMT"),
    ("content-type", "application/json"),
    ("content-length", "1094"),
    ("connection", "keep-alive"),
    ("access-control-expose-headers", "X-Request-ID"),
    ("openai-organization", "org-0123456789"),
    ("openai-processing-ms", "642"),
    ("openai-project", "proj_0123456789"),
    ("openai-version", "2020-10-01"),
    ("x-envoy-upstream-service-time", "660"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "30000000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "29999984"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-ratelimit-reset-tokens", "0s"),
    ("x-request-id", "req_0123456789abcdef0123456789abcdef"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("cf-cache-status", "DYNAMIC"),
    ("x-content-type-options", "nosniff"),
    ("server", "cloudflare"),
    ("alt-svc", "h3=\":443\"; ma=86400"),
];

/// The headers of Anthropic about limits, whose resets are dates.
const ANTHROPIC: [(&str, &str); 13] = [
    ("date", "Thu, 21 Aug 2025 12:41:00 GMT"),
    ("anthropic-ratelimit-requests-limit", "1000"),
    ("anthropic-ratelimit-requests-remaining", "999"),
    ("anthropic-ratelimit-requests-reset", "2025-08-21T12:41:00Z"),
    ("anthropic-ratelimit-input-tokens-limit", "80000"),
    ("anthropic-ratelimit-input-tokens-remaining", "80000"),
    ("anthropic-ratelimit-input-tokens-reset", "2025-08-21T12:40:59Z"),
    ("anthropic-ratelimit-output-tokens-limit", "16000"),
    ("anthropic-ratelimit-output-tokens-remaining", "16000"),
    ("anthropic-ratelimit-output-tokens-reset", "2025-08-21T12:41:00Z"),
    ("anthropic-ratelimit-tokens-limit", "96000"),
    ("anthropic-ratelimit-tokens-remaining", "96000"),
    ("anthropic-ratelimit-tokens-reset", "2025-08-21T12:40:59Z"),
];

const REFUSAL: &str = r#"{"error": {"message": "Rate limit reached for gpt-4o in organization org-0123456789 on
    tokens per min (TPM): Limit 30000, Used 29729, Requested 1317. Please try again in 2.092s. Visit
    https://platform.openai.com/account/rate-limits to learn more.", "type": "tokens", "param": null,
    "code": "rate_limit_exceeded"}}"#;

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let rounds = if is_bench { 200 } else { 1 };
    let text = "The quick brown fox jumps over the lazy dog. \\\"Quoted\\\"\\n".repeat(18);
    let reply = format!(
        r#"{{"choices":[{{"message":{{"content":"{text}"}}}}],"usage":{{"prompt_tokens":9,"completion_tokens":12}}}}"#
    );
    let length = reply.len() as f64;
    let headers = |headers: &'static [(&str, &str)]| {
        fastest(rounds, || Observation::from_parts(200, black_box(headers).iter().copied(), b""))
    };
    let lines = [
        Line::at_most("ns to read the 22 headers of a response of OpenAI's", headers(&OPENAI), 1_000.0),
        Line::remark("ns to read 13 headers of Anthropic's, with 4 dates", headers(&ANTHROPIC)),
        Line::remark(
            "ns to find the usage, for each byte of a reply",
            fastest(rounds, || Usage::from_json(black_box(reply.as_bytes()))) / length,
        ),
        Line::remark(
            "ns to read a refusal of OpenAI's",
            fastest(rounds, || Observation::new(429).body(black_box(REFUSAL.as_bytes())).verdict()),
        ),
    ];
    openlimit_benches::print(lines.into_iter());
}

/// Returns the nanoseconds of a call, in the fastest round.
fn fastest<T>(rounds: u32, mut call: impl FnMut() -> T) -> f64 {
    const CALLS: u32 = 1_000;
    let mut round = || {
        let start = Instant::now();
        for _ in 0..CALLS {
            black_box(call());
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    (0..rounds).map(|_| round()).fold(f64::INFINITY, f64::min)
}
