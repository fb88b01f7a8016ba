//! `Cost`: what one call takes from each dimension.
//!
//! A cost remembers which of its dimensions the user named. Naming a dimension that the limiter
//! does not meter is an error, because it is most likely a mistake. Amounts that openlimit derives
//! from a request (tokens, input tokens, output tokens) are not named: where no limit meters them,
//! they are ignored.

use std::fmt;
use std::sync::Arc;

use super::{Dimension, Dollars, Priced};

/// The amounts that one call takes, by dimension.
///
/// A new cost is one request and nothing else. Each method sets the amount of one dimension, in its
/// own unit: requests, tokens, images, millionths of a dollar. An integer converts into one request
/// with that many tokens.
///
/// A call fails with [`AcquireError::UnknownDimension`](crate::AcquireError::UnknownDimension) if
/// its cost names a dimension that the limiter does not meter. Each method names one, even with an
/// amount of zero. The one request of a new cost is not named, and neither are the tokens of a
/// request that a limiter has priced. Where no limit meters them, they are ignored.
///
/// Two costs are equal if they name the same dimensions, and all amounts are the same.
///
/// `Cost` does not implement `Serialize`, so it cannot be mistaken for a request that has to be
/// priced.
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
    /// Amounts by `Dimension::index`.
    amounts: [u64; Dimension::NAMED.len()],
    /// A bit for each of `amounts` that the user named, [`PRICED`](Self::PRICED) and
    /// [`HAS_SPEND`](Self::HAS_SPEND).
    named: u8,
    /// False if the output of a request that was priced is a default.
    has_maximum: bool,
    /// The number of choices that share the output of a request that was priced.
    choices: u32,
    /// What few costs have. The end of an `Arc` is inlined, and that of a `Box` is not.
    more: Option<Arc<More>>,
}

/// The rare parts of a cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct More {
    /// Amounts of dimensions with a name of the user's own.
    custom: Vec<(Dimension, u64)>,
    /// The model of a request whose price in dollars is known.
    model: Option<Arc<str>>,
    /// The part of that price that is for the prompt, in millionths of a dollar.
    of_prompt: Option<u64>,
}

impl Cost {
    /// Creates a cost of one request.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self { amounts: [1, 0, 0, 0, 0, 0], named: 0, has_maximum: true, choices: 1, more: None }
    }

    /// The bit of [`named`](Self::named) that marks a cost that was read from a request. A limiter
    /// that learns reads such a cost in another way, and learns nothing from what users named.
    pub(crate) const PRICED: u8 = 1 << 7;

    /// The bit of [`named`](Self::named) that marks a cost whose price in dollars is known. Without
    /// it, a zero would mean that the call is free.
    pub(crate) const HAS_SPEND: u8 = 1 << 6;

    /// Creates the cost of a request that was priced: one request, `tokens` for a limit on input
    /// and output together, and `input` and `output` tokens for limits on each.
    #[cfg_attr(not(feature = "tokenizers"), allow(dead_code, reason = "only requests are priced"))]
    pub(crate) const fn derived(tokens: u64, input: u64, output: u64) -> Self {
        let mut cost = Self::new();
        cost.amounts = [1, tokens, input, output, 0, 0];
        cost.named = Self::PRICED;
        cost
    }

    /// Creates the cost of a request that no limit of the limiter counts.
    #[cfg(feature = "tokenizers")]
    pub(crate) const fn nothing() -> Self {
        let mut cost = Self::new();
        cost.amounts[0] = 0;
        cost.named = Self::HAS_SPEND;
        cost
    }

    /// Says how many choices share the output, and whether the request names their maximum.
    #[cfg_attr(not(feature = "tokenizers"), allow(dead_code, reason = "only requests are priced"))]
    pub(crate) const fn of_choices(mut self, choices: u64, has_maximum: bool) -> Self {
        self.choices = if choices > u32::MAX as u64 { u32::MAX } else { choices as u32 };
        self.has_maximum = has_maximum;
        self
    }

    /// Says what the request costs in dollars, at the price of this model, and what its prompt
    /// alone does, if that is known.
    #[cfg_attr(not(feature = "tokenizers"), allow(dead_code, reason = "only requests are priced"))]
    pub(crate) fn priced_at(mut self, model: &str, spend: Dollars, of_prompt: Option<Dollars>) -> Self {
        self.amounts[Self::SPEND] = spend.micros();
        self.named |= Self::HAS_SPEND;
        let more = self.more();
        more.model = Some(model.into());
        more.of_prompt = of_prompt.map(Dollars::micros);
        self
    }

    /// Returns the parts of a cost that was read from a request; `None` if a user named it.
    pub(crate) fn priced(&self) -> Option<Priced> {
        let [_, tokens, input, output, _, spend] = self.amounts;
        if self.named & Self::PRICED == 0 {
            return None;
        }
        let is_sum = tokens == input.saturating_add(output);
        let model = self.more.as_ref().and_then(|more| more.model.clone());
        let of_prompt = self.more.as_ref().and_then(|more| more.of_prompt);
        let spend = of_prompt.map(|of_prompt| (of_prompt, spend.saturating_sub(of_prompt)));
        Some(Priced {
            input,
            output,
            choices: self.choices,
            is_named: self.has_maximum,
            is_sum,
            model,
            spend,
        })
    }

    /// Sets the number of requests. Default: 1.
    #[must_use]
    #[inline]
    pub const fn requests(self, requests: u64) -> Self {
        self.set(0, requests)
    }

    /// Sets the number of tokens, input and output together. Limits on `tokens` meter them.
    ///
    /// It does not set [`input_tokens`](Self::input_tokens) or
    /// [`output_tokens`](Self::output_tokens), which other limits meter.
    #[must_use]
    #[inline]
    pub const fn tokens(self, tokens: u64) -> Self {
        self.set(1, tokens)
    }

    /// Sets the number of input tokens, for limiters with a separate limit on them.
    #[must_use]
    #[inline]
    pub const fn input_tokens(self, tokens: u64) -> Self {
        self.set(2, tokens)
    }

    /// Sets the number of output tokens, for limiters with a separate limit on them.
    #[must_use]
    #[inline]
    pub const fn output_tokens(self, tokens: u64) -> Self {
        self.set(3, tokens)
    }

    /// Sets the number of images that the call asks to be generated.
    #[must_use]
    #[inline]
    pub const fn images(self, images: u64) -> Self {
        self.set(4, images)
    }

    /// The place of [`Dimension::Spend`].
    const SPEND: usize = 5;

    /// Sets what the call costs in money, for limiters with a limit on
    /// [`spend`](crate::Builder::spend). They refuse a cost that does not say it.
    #[must_use]
    #[inline]
    pub const fn spend(self, dollars: Dollars) -> Self {
        self.set(Self::SPEND, dollars.micros())
    }

    /// Sets the amount of any dimension, known or with a name of your own. Replaces an earlier
    /// value.
    #[must_use]
    pub fn with(mut self, dimension: impl Into<Dimension>, amount: u64) -> Self {
        let dimension = dimension.into().normal();
        if let Some(index) = dimension.index() {
            return self.set(index, amount);
        }
        let custom = &mut self.more().custom;
        match custom.iter_mut().find(|(known, _)| *known == dimension) {
            Some((_, known)) => *known = amount,
            None => custom.push((dimension, amount)),
        }
        self
    }

    /// Returns the amount of `dimension`. If it was never set, this is one for requests, and zero
    /// for any other dimension.
    #[must_use]
    pub fn amount(&self, dimension: &Dimension) -> u64 {
        match dimension.index() {
            Some(index) => self.amounts[index],
            None => {
                self.custom().iter().find(|(known, _)| known == dimension).map_or(0, |(_, amount)| *amount)
            }
        }
    }

    /// Returns the larger amount of both costs in each dimension.
    pub(crate) fn or_more(self, other: Self) -> Self {
        let named = Dimension::NAMED.into_iter().enumerate();
        let named = named.filter(|(index, _)| other.named & 1 << index != 0).map(|(_, dimension)| dimension);
        let dimensions: Vec<_> =
            named.chain(other.custom().iter().map(|(dimension, _)| dimension.clone())).collect();
        dimensions.into_iter().fold(self, |cost, dimension| {
            let amount = cost.amount(&dimension).max(other.amount(&dimension));
            cost.with(dimension, amount)
        })
    }

    #[inline]
    const fn set(mut self, index: usize, amount: u64) -> Self {
        self.amounts[index] = amount;
        // It is the user's now.
        self.named = self.named & !Self::PRICED | 1 << index;
        if index == Self::SPEND {
            self.named |= Self::HAS_SPEND;
        }
        self
    }

    /// Returns the rare parts, to change them.
    fn more(&mut self) -> &mut More {
        Arc::make_mut(self.more.get_or_insert_default())
    }

    /// Returns the amount of the dimension at this index of `Dimension::NAMED`; zero beyond the
    /// end.
    #[inline]
    pub(crate) fn place(&self, index: usize) -> u64 {
        self.amounts.get(index).copied().unwrap_or(0)
    }

    /// Returns a bit for each of `Dimension::NAMED` that the user named, and the bits
    /// [`PRICED`](Self::PRICED) and [`HAS_SPEND`](Self::HAS_SPEND).
    #[inline]
    pub(crate) const fn named(&self) -> u8 {
        self.named
    }

    /// Returns the dimensions with a name of the user's own.
    #[inline]
    pub(crate) fn custom(&self) -> &[(Dimension, u64)] {
        self.more.as_ref().map_or(&[], |more| &more.custom)
    }
}

/// Shows each amount above zero by the name of its dimension.
impl fmt::Debug for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amounts = Dimension::NAMED.into_iter().zip(self.amounts).filter(|(_, amount)| *amount > 0);
        let mut cost = f.debug_struct("Cost");
        for (dimension, amount) in amounts.chain(self.custom().iter().cloned()) {
            cost.field(dimension.name(), &format_args!("{}", dimension.count(amount)));
        }
        cost.finish()
    }
}

/// Creates a cost of one request.
impl Default for Cost {
    fn default() -> Self {
        Self::new()
    }
}

/// Converts a number of tokens into a cost of one request with that many tokens.
impl From<u64> for Cost {
    #[inline]
    fn from(tokens: u64) -> Self {
        Self::new().tokens(tokens)
    }
}
