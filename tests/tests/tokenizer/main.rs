//! Tests of counting tokens, with tiktoken-rs as the oracle.

mod data;
mod exact;
mod oracle;
mod plugged;
mod sweep;
