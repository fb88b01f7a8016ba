//! What tests of rate-limited programs need: a clock moved by hand, and a strict provider.

mod provider;

pub use provider::{Arrival, Provider, ProviderBuilder};

/// stub
#[derive(Clone, Debug, Default)]
pub struct ManualClock;
