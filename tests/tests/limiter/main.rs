//! Tests of the public API: a limiter's construction, its permits, its errors and its status.

mod accessors;
mod adaptive;
mod bad_input;
mod burst;
mod charge;
mod close;
mod congestion;
mod events;
mod exhausted;
mod hold;
mod keyed;
mod metrics;
mod money;
mod observe;
mod pace;
mod plan;
mod provider_windows;
mod python_defects;
mod reset;
mod resets;
mod shared_key;
mod stack;
mod status;
mod streams;
mod update;
mod waiting;
