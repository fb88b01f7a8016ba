//! What tests of rate-limited programs need: a clock moved by hand.

pub use crate::time::manual::ManualClock;
