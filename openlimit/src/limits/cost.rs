//! `Cost`: what one call takes from each dimension.
//!
//! A cost says which of its dimensions were named by a person. Naming one that the limiter does not have is
//! an error, since it is most likely a mistake; what openlimit itself derives from a request (tokens, input
//! tokens, output tokens) is simply left unmetered where no limit asks for it.

use std::fmt;

use super::Dimension;

/// What one call takes from each dimension: one request, unless [`requests`](Cost::requests) says otherwise,
/// and nothing else until it is added.
///
/// An integer stands for one request with that many tokens. A `Cost` is never serializable, so it cannot be
/// mistaken for a request to be priced.
///
/// ```
/// use openlimit::{Cost, Dimension};
///
/// let cost = Cost::new().tokens(900).with("audio_seconds", 12);
/// assert_eq!(cost.amount(&Dimension::Requests), 1);
/// assert_eq!(cost.amount(&Dimension::Tokens), 900);
/// assert_eq!(cost.amount(&"audio_seconds".into()), 12);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Cost {
    /// By `Dimension::index`.
    amounts: [u64; Dimension::NAMED.len()],
    /// A bit for each of `amounts` that was named rather than implied or derived.
    named: u8,
    custom: Vec<(Dimension, u64)>,
}

impl Cost {
    /// One request.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self { amounts: [1, 0, 0, 0, 0], named: 0, custom: Vec::new() }
    }

    /// What a request was found to take: one request, `tokens` of a limit on both
    /// together, and `input` and `output` tokens apart.
    #[cfg_attr(not(feature = "tokenizers"), allow(dead_code, reason = "only requests are priced"))]
    pub(crate) const fn derived(tokens: u64, input: u64, output: u64) -> Self {
        let mut cost = Self::new();
        cost.amounts = [1, tokens, input, output, 0];
        cost
    }

    /// This many requests in place of one.
    #[must_use]
    #[inline]
    pub const fn requests(self, requests: u64) -> Self {
        self.set(0, requests)
    }

    /// This many tokens, input and output together.
    #[must_use]
    #[inline]
    pub const fn tokens(self, tokens: u64) -> Self {
        self.set(1, tokens)
    }

    /// This many input tokens, for limiters that count them apart.
    #[must_use]
    #[inline]
    pub const fn input_tokens(self, tokens: u64) -> Self {
        self.set(2, tokens)
    }

    /// This many output tokens, for limiters that count them apart.
    #[must_use]
    #[inline]
    pub const fn output_tokens(self, tokens: u64) -> Self {
        self.set(3, tokens)
    }

    /// This many images.
    #[must_use]
    #[inline]
    pub const fn images(self, images: u64) -> Self {
        self.set(4, images)
    }

    /// This much of any dimension, replacing what was said of it before.
    #[must_use]
    pub fn with(mut self, dimension: impl Into<Dimension>, amount: u64) -> Self {
        let dimension = dimension.into().normal();
        if let Some(index) = dimension.index() {
            return self.set(index, amount);
        }
        match self.custom.iter_mut().find(|(known, _)| *known == dimension) {
            Some((_, known)) => *known = amount,
            None => self.custom.push((dimension, amount)),
        }
        self
    }

    /// How much this call takes of `dimension`.
    #[must_use]
    pub fn amount(&self, dimension: &Dimension) -> u64 {
        match dimension.index() {
            Some(index) => self.amounts[index],
            None => self.custom.iter().find(|(known, _)| known == dimension).map_or(0, |(_, amount)| *amount),
        }
    }

    #[inline]
    const fn set(mut self, index: usize, amount: u64) -> Self {
        self.amounts[index] = amount;
        self.named |= 1 << index;
        self
    }

    /// The amount of the dimension with this index in `Dimension::NAMED`; nothing beyond them.
    #[inline]
    pub(crate) fn place(&self, index: usize) -> u64 {
        self.amounts.get(index).copied().unwrap_or(0)
    }

    /// A bit for each of `amounts` that was named.
    #[inline]
    pub(crate) const fn named(&self) -> u8 {
        self.named
    }

    /// The dimensions with a name of the user's own.
    #[inline]
    pub(crate) fn custom(&self) -> &[(Dimension, u64)] {
        &self.custom
    }
}

/// What is taken of each dimension, by its name.
impl fmt::Debug for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amounts = Dimension::NAMED.into_iter().zip(self.amounts).filter(|(_, amount)| *amount > 0);
        let mut cost = f.debug_struct("Cost");
        for (dimension, amount) in amounts.chain(self.custom.iter().cloned()) {
            cost.field(dimension.name(), &amount);
        }
        cost.finish()
    }
}

impl Default for Cost {
    fn default() -> Self {
        Self::new()
    }
}

/// One request with this many tokens.
impl From<u64> for Cost {
    #[inline]
    fn from(tokens: u64) -> Self {
        Self::new().tokens(tokens)
    }
}
