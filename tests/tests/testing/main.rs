//! Tests of `openlimit::testing`: tokio's paused time, a strict provider, limiters without limits,
//! and limiters in place of others.

mod overrides;
mod paused_time;
mod provider;
mod unlimited;
