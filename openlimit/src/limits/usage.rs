//! `Usage`: what a call really used, as the provider reports it.
//!
//! It differs from a `Cost` in what it leaves out: a dimension without an amount was not reported,
//! so its reservation stays as it is.

use super::{Cost, Dimension};

/// The amounts that a call really used, for [`Permit::settle`](crate::Permit::settle).
///
/// Only the dimensions that it names are settled. All others, the request itself included, stay as
/// they were reserved. The default names none.
///
/// An integer converts into a total of tokens; a negative one names nothing. It may be any of the
/// types that API clients use: `u64`, `u32`, `usize`, `i64` or `i32`.
///
/// ```
/// use openlimit::Usage;
///
/// let usage = Usage::new(120, 380);               // prompt and completion tokens
/// let total = Usage::from(500);                   // if only the total is known
/// let audio = Usage::default().with("audio_seconds", 12);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage(Cost);

impl Usage {
    /// Creates a usage of `input` tokens (OpenAI's `prompt_tokens`) and `output` tokens
    /// (`completion_tokens`).
    ///
    /// It names three dimensions: `input_tokens`, `output_tokens`, and `tokens` as the sum of both.
    #[must_use]
    pub const fn new(input: u64, output: u64) -> Self {
        Self(Cost::new().tokens(input.saturating_add(output)).input_tokens(input).output_tokens(output))
    }

    /// Sets what was used of any dimension. Replaces an earlier value.
    #[must_use]
    pub fn with(self, dimension: impl Into<Dimension>, amount: u64) -> Self {
        Self(self.0.with(dimension, amount))
    }

    /// Returns what was used of `dimension`; `None` if this usage does not name it.
    #[must_use]
    pub fn amount(&self, dimension: &Dimension) -> Option<u64> {
        let said = match dimension.index() {
            Some(index) => self.0.named() & (1 << index) != 0,
            None => self.0.custom().iter().any(|(known, _)| known == dimension),
        };
        said.then(|| self.0.amount(dimension))
    }
}

/// The types that API clients count in. A literal without a suffix is an `i32`.
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
