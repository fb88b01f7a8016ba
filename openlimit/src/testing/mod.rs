//! What tests of rate-limited programs need: a clock moved by hand, and a strict provider.

/// stub
#[derive(Clone, Debug, Default)]
pub struct ManualClock;
