//! Tests of counting tokens. tiktoken-rs is the reference.

mod data;
mod exact;
mod oracle;
mod plugged;
mod sweep;
