//! `Usage`: what a call turned out to take, as the provider reports it.

use super::{Cost, Dimension};

/// What a call really used, for [`Permit::settle`](crate::Permit::settle).
///
/// Only what it names is settled: the request itself, and every dimension it is silent about, stay as they
/// were reserved. A bare integer, of whatever width a client counts in, is the total of tokens, or names nothing if it
/// is negative; so does the default.
///
/// ```
/// use openlimit::Usage;
///
/// let usage = Usage::new(120, 380);               // prompt and completion tokens
/// let total = Usage::from(500);                   // where only the total is known
/// let audio = Usage::default().with("audio_seconds", 12);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage(Cost);

impl Usage {
    /// `input` tokens (OpenAI's `prompt_tokens`) and `output` tokens (`completion_tokens`).
    #[must_use]
    pub const fn new(input: u64, output: u64) -> Self {
        Self(Cost::new().tokens(input.saturating_add(output)).input_tokens(input).output_tokens(output))
    }

    /// Adds what was used of a further dimension.
    #[must_use]
    pub fn with(self, dimension: impl Into<Dimension>, amount: u64) -> Self {
        Self(self.0.with(dimension, amount))
    }

    /// What was used of `dimension`, if this usage says.
    #[must_use]
    pub fn amount(&self, dimension: &Dimension) -> Option<u64> {
        let said = match dimension.index() {
            Some(index) => self.0.named() & (1 << index) != 0,
            None => self.0.custom().iter().any(|(known, _)| known == dimension),
        };
        said.then(|| self.0.amount(dimension))
    }
}

/// What clients count in; a bare literal is an `i32`.
macro_rules! counts {
    ($($count:ty),+) => {$(
        /// The total of tokens. A negative count names nothing.
        impl From<$count> for Usage {
            fn from(tokens: $count) -> Self {
                u64::try_from(tokens).map_or_else(|_| Self::default(), |tokens| Self(Cost::new().tokens(tokens)))
            }
        }
    )+};
}

counts!(u64, u32, usize, i64, i32);
