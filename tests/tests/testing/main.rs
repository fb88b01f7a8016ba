//! Tests of what `openlimit::testing` offers to tests: tokio's paused time, and a strict provider.

mod paused_time;
mod provider;
