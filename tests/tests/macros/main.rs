//! Tests of `limiter!` and `#[rate_limited]`: their expansions compile, and do what the written
//! code says.
//!
//! Mistakes and their messages are in `mistakes/tests/ui`.

mod attribute;
mod keyed;
mod limiter;
mod lints;
