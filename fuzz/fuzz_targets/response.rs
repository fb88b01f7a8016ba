//! Reads any response: its headers, with durations and dates in them, its body, and the sentences
//! of errors.
//!
//! Nothing may panic, and the order of headers and body must not matter.
//!
//! `cargo +nightly fuzz run response -- -max_len=8192`

#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use openlimit::feedback::{Observation, retry_after};

/// One name for each way to read a value.
const NAMES: [&str; 16] = [
    "x-ratelimit-limit",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-renewalperiod-tokens",
    "x-ratelimit-tokens-query-cost",
    "anthropic-ratelimit-unified-5h-utilization",
    "anthropic-ratelimit-unified-5h-reset",
    "anthropic-ratelimit-unified-5h-status",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-amzn-errortype",
    "date",
];

fuzz_target!(|response: (u16, Vec<(u8, Vec<u8>)>, Vec<(Vec<u8>, Vec<u8>)>, Vec<u8>)| {
    let (status, known, any, body) = &response;
    let known = known
        .iter()
        .filter_map(|(name, value)| Some((NAMES.get(usize::from(*name))?.as_bytes(), &value[..])));
    let headers: Vec<(&[u8], &[u8])> =
        known.chain(any.iter().map(|(name, value)| (&name[..], &value[..]))).collect();
    let observation = Observation::from_parts(*status, headers.iter().copied(), body);
    let shown = format!("{observation:?} {:?}", observation.verdict());
    let body_first =
        headers.iter().fold(Observation::new(*status).body(body), |observation, (name, value)| {
            observation.header(name, value)
        });
    // Only the first 32 limits are kept, and those of an event come from the body.
    let is_event = body.windows(11).any(|part| part == b"rate_limits");
    if observation.limits().count() < 32 && !is_event {
        assert_eq!(shown, format!("{body_first:?} {:?}", body_first.verdict()));
    }
    for (_, value) in headers {
        let _ = retry_after(value, Some(UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
    }
});
