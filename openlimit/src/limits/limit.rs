//! `Limit`: a dimension, and how much of it is allowed.

use std::fmt;

use super::{Dimension, Rate};

/// A dimension and its rate: what the provider allows of one thing.
///
/// Requests, tokens and the other usual dimensions have their own keys in [`limiter!`](crate::limiter) and
/// the builder; this type is for the others, and for telling which limit a call waited for.
///
/// ```
/// use openlimit::{Limit, Rate};
///
/// let limit = Limit::new("audio_seconds", Rate::per_hour(7_200));
/// assert_eq!(limit.to_string(), "7200 audio_seconds / hour");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    dimension: Dimension,
    rate: Rate,
}

impl Limit {
    /// Allows `rate` of `dimension`.
    #[must_use]
    pub fn new(dimension: impl Into<Dimension>, rate: Rate) -> Self {
        Self { dimension: dimension.into().normal(), rate }
    }

    /// What is counted.
    #[must_use]
    pub fn dimension(&self) -> &Dimension {
        &self.dimension
    }

    /// How much of it is allowed.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // "200 / minute" reads as "200 requests / minute".
        let rate = self.rate.to_string();
        let (amount, period) = rate.split_once(' ').unwrap_or((&rate, ""));
        write!(f, "{amount} {} {period}", self.dimension)
    }
}
