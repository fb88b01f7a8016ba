//! Tests of `openlimit::testing`: tokio's paused time, and a strict provider.

mod paused_time;
mod provider;
