//! `Usage`: what a call really used, as the provider reports it.
//!
//! It differs from a `Cost` in what it leaves out: a dimension without an amount was not reported,
//! so its reservation stays as it is. And it knows which part of the input came from a cache, since
//! that has another price.

use super::{Cost, Dimension, Dollars};

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
/// let cached = Usage::new(120, 380).cached(100);  // 100 of the 120 came from the cache
/// let total = Usage::from(500);                   // if only the total is known
/// let audio = Usage::default().with("audio_seconds", 12);
/// ```
///
/// # For prices
///
/// A [price](crate::Builder::price) is a sum over four parts, which have no token in common:
/// [`uncached_input`](Self::uncached_input), [`cached_input`](Self::cached_input),
/// [`cache_writes`](Self::cache_writes) and [`output`](Self::output).
#[derive(Clone, Debug, Default)]
pub struct Usage {
    amounts: Cost,
    /// The input that was read from a cache.
    cached: u64,
    /// True if it is no part of the input tokens.
    is_beside: bool,
    /// The part of the input tokens that was written to a cache.
    written: u64,
    /// True if it was read from a reply, which is foreign input.
    is_read: bool,
}

impl Usage {
    /// Creates a usage of `input` tokens (OpenAI's `prompt_tokens`) and `output` tokens
    /// (`completion_tokens`).
    ///
    /// It names three dimensions: `input_tokens`, `output_tokens`, and `tokens` as the sum of both.
    #[must_use]
    pub const fn new(input: u64, output: u64) -> Self {
        let tokens = input.saturating_add(output);
        let amounts = Cost::new().tokens(tokens).input_tokens(input).output_tokens(output);
        Self { amounts, cached: 0, is_beside: false, written: 0, is_read: false }
    }

    /// Sets what was used of any dimension. Replaces an earlier value.
    #[must_use]
    pub fn with(self, dimension: impl Into<Dimension>, amount: u64) -> Self {
        Self { amounts: self.amounts.with(dimension, amount), ..self }
    }

    /// Sets what the provider charges for the call. It replaces the price that the limiter would
    /// compute.
    #[must_use]
    pub fn spend(self, dollars: Dollars) -> Self {
        self.with(Dimension::Spend, dollars.micros())
    }

    /// Says how many of the input tokens were read from the provider's cache: OpenAI's
    /// `cached_tokens`. It changes the price, and no amount.
    #[must_use]
    pub const fn cached(mut self, tokens: u64) -> Self {
        (self.cached, self.is_beside) = (tokens, false);
        self
    }

    /// Says how many tokens were read from the provider's cache and are not among the input tokens:
    /// Anthropic's `cache_read_input_tokens`.
    #[must_use]
    pub const fn cached_beside(mut self, tokens: u64) -> Self {
        (self.cached, self.is_beside) = (tokens, true);
        self
    }

    /// Says how many of the input tokens were written to the provider's cache, where that has a
    /// price of its own: Anthropic's `cache_creation_input_tokens`, which count as input.
    #[must_use]
    pub const fn written(mut self, tokens: u64) -> Self {
        self.written = tokens;
        self
    }

    /// Marks it as read from a reply.
    pub(crate) fn read(self) -> Self {
        Self { is_read: true, ..self }
    }

    /// Returns true if it was read from a reply.
    pub(crate) fn is_read(&self) -> bool {
        self.is_read
    }

    /// Returns what was used of `dimension`; `None` if this usage does not name it.
    #[must_use]
    pub fn amount(&self, dimension: &Dimension) -> Option<u64> {
        let said = match dimension.index() {
            Some(index) => self.amounts.named() & (1 << index) != 0,
            None => self.amounts.custom().iter().any(|(known, _)| known == dimension),
        };
        said.then(|| self.amounts.amount(dimension))
    }

    /// Returns the input tokens that no cache served or stored.
    #[must_use]
    pub fn uncached_input(&self) -> u64 {
        let inside = if self.is_beside { 0 } else { self.cached };
        let input = self.amount(&Dimension::InputTokens).unwrap_or(0);
        input.saturating_sub(inside).saturating_sub(self.written)
    }

    /// Returns the input tokens that were read from a cache.
    #[must_use]
    pub fn cached_input(&self) -> u64 {
        let input = self.amount(&Dimension::InputTokens).unwrap_or(0);
        if self.is_beside { self.cached } else { self.cached.min(input) }
    }

    /// Returns the input tokens that were written to a cache.
    #[must_use]
    pub fn cache_writes(&self) -> u64 {
        let inside = if self.is_beside { 0 } else { self.cached };
        let input = self.amount(&Dimension::InputTokens).unwrap_or(0);
        self.written.min(input.saturating_sub(inside))
    }

    /// Returns the output tokens.
    #[must_use]
    pub fn output(&self) -> u64 {
        self.amount(&Dimension::OutputTokens).unwrap_or(0)
    }
}

/// Two are equal if they say the same, also if only one was read from a reply.
impl PartialEq for Usage {
    fn eq(&self, other: &Self) -> bool {
        let said = |usage: &Self| (usage.cached, usage.is_beside, usage.written);
        self.amounts == other.amounts && said(self) == said(other)
    }
}

impl Eq for Usage {}

/// The types that API clients count in. A literal without a suffix is an `i32`.
macro_rules! counts {
    ($($count:ty),+) => {$(
        /// The total of tokens. A negative count names nothing.
        impl From<$count> for Usage {
            fn from(tokens: $count) -> Self {
                u64::try_from(tokens).map_or_else(|_| Self::default(), |tokens| {
                    Self { amounts: Cost::new().tokens(tokens), ..Self::default() }
                })
            }
        }
    )+};
}

counts!(u64, u32, usize, i64, i32);
