//! `KeyLimits`: the limits of one key, which start as the declared ones.

use crate::limits::{Budget, Dimension, Limit, Rate};

/// The limits of one key, for the function that is given to
/// [`Builder::limits`](crate::Builder::limits). They start as the declared ones.
///
/// Naming a dimension replaces all declared limits of that dimension. Naming it again adds another
/// limit to it, for example one per day beside one per minute. The other options, such as the
/// burst, are those of the declaration.
///
/// ```
/// use openlimit::{KeyLimits, Rate};
///
/// fn limits(tenant: &u64, limits: KeyLimits) -> KeyLimits {
///     match tenant {
///         1 => limits.tokens(Rate::per_minute(200_000)).tokens(Rate::per_day(10_000_000)),
///         _ => limits,
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "return the limits from the function"]
pub struct KeyLimits {
    limits: Vec<Limit>,
    /// The dimensions that were named.
    named: Vec<Dimension>,
}

impl KeyLimits {
    pub(super) fn new(declared: &[Limit]) -> Self {
        Self { limits: declared.to_vec(), named: Vec::new() }
    }

    /// Returns the limits in their order.
    pub fn as_slice(&self) -> &[Limit] {
        &self.limits
    }

    /// Limits requests.
    pub fn requests(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Requests, rate))
    }

    /// Limits tokens, input and output together.
    pub fn tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Tokens, rate))
    }

    /// Limits input tokens.
    pub fn input_tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::InputTokens, rate))
    }

    /// Limits output tokens.
    pub fn output_tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::OutputTokens, rate))
    }

    /// Limits images that are generated.
    pub fn images(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Images, rate))
    }

    /// Limits what calls cost in money.
    pub fn spend(self, budget: Budget) -> Self {
        self.limit(Limit::new(Dimension::Spend, budget.rate()))
    }

    /// Limits any dimension.
    pub fn limit(mut self, limit: Limit) -> Self {
        if !self.named.contains(limit.dimension()) {
            self.limits.retain(|declared| declared.dimension() != limit.dimension());
            self.named.push(limit.dimension().clone());
        }
        self.limits.push(limit);
        self
    }

    pub(super) fn into_vec(self) -> Vec<Limit> {
        self.limits
    }
}
