//! `Charge`: what a call takes from each of the provider's limits.

use crate::{Dimension, Limit};

/// The tokens of a call. It is one request, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Charge {
    /// Input and output together.
    pub(super) tokens: u64,
    pub(super) input: u64,
    pub(super) output: u64,
}

impl Charge {
    /// Returns what the call takes from a limit.
    pub(super) fn of(&self, limit: &Limit) -> u64 {
        match limit.dimension() {
            Dimension::Requests => 1,
            Dimension::InputTokens => self.input,
            Dimension::OutputTokens => self.output,
            _ => self.tokens,
        }
    }
}
