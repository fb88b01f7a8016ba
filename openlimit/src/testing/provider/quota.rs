//! `Quota`: what the account may use in all, such as a budget.
//!
//! A limit refills while a program waits. A quota does not, so that waiting is no help.

use std::time::{Duration, Instant};

/// The tokens that are left of a quota.
#[derive(Debug)]
pub(super) struct Quota {
    tokens: u64,
    /// The time after which it is renewed, counted from the first call of each period.
    renewal: Option<Duration>,
    used: u64,
    renewed: Option<Instant>,
}

impl Quota {
    pub(super) fn new(tokens: u64, renewal: Option<Duration>) -> Self {
        Self { tokens, renewal, used: 0, renewed: None }
    }

    /// Returns whether anything is left, or else the time until it is renewed; `None` if it is not.
    pub(super) fn check(&mut self, at: Instant) -> Result<(), Option<Duration>> {
        if self.renewed.is_some_and(|renewed| renewed <= at) {
            (self.used, self.renewed) = (0, None);
        }
        if self.used < self.tokens {
            return Ok(());
        }
        Err(self.renewed.map(|renewed| renewed.saturating_duration_since(at)))
    }

    /// Takes the tokens of a call. The last call may use more than is left, as its output is not
    /// known before.
    pub(super) fn take(&mut self, at: Instant, tokens: u64) {
        self.used = self.used.saturating_add(tokens);
        if self.renewed.is_none() {
            self.renewed = self.renewal.and_then(|renewal| at.checked_add(renewal));
        }
    }

    /// Renews it.
    pub(super) fn fill(&mut self) {
        (self.used, self.renewed) = (0, None);
    }
}
