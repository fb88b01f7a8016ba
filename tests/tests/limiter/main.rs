//! Tests of the public API: a limiter's construction, its permits, its errors and its status.

mod accessors;
mod bad_input;
mod burst;
mod events;
mod hold;
mod observe;
mod provider_windows;
mod python_defects;
mod shared_key;
mod status;
mod streams;
