//! `Limit`: a dimension and its rate.
//!
//! Errors and reports show limits, so its `Display` reads as the user wrote it.

use std::fmt;

use super::{Dimension, Rate};

/// The most limits of one limiter. Every call checks each of them, so many more would be slow.
pub(crate) const MOST_LIMITS: usize = 64;

/// A dimension and its rate, such as 40 000 tokens per minute.
///
/// The known dimensions have their own keys in [`limiter!`](crate::limiter) and methods of the
/// [`Builder`](crate::Builder). Use this type to limit any other dimension. Errors and
/// [`Permit::waited_for`](crate::Permit::waited_for) use it to name a limit.
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
    /// Creates a limit that allows `rate` of `dimension`.
    ///
    /// It never fails. [`Builder::build`](crate::Builder::build) checks the rate and the name.
    #[must_use]
    pub fn new(dimension: impl Into<Dimension>, rate: Rate) -> Self {
        Self { dimension: dimension.into().normal(), rate }
    }

    /// Returns what the limit counts.
    #[must_use]
    pub fn dimension(&self) -> &Dimension {
        &self.dimension
    }

    /// Returns how much of it is allowed.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Returns the same limit with another amount.
    pub(crate) fn of_amount(&self, amount: u64) -> Self {
        Self { dimension: self.dimension.clone(), rate: self.rate.with_amount(amount) }
    }

    /// Shows it without its amount, which an update may change: `tokens / minute`.
    #[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "for labels of metrics"))]
    pub(crate) fn without_amount(&self) -> String {
        let resets = self.rate.resets().map_or(String::new(), |resets| format!(" ({resets})"));
        format!("{} {}{resets}", self.dimension, self.rate.over())
    }

    /// Returns true if both count the same over the same time, whatever their amounts and bursts.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.dimension == other.dimension && self.rate.has_same_windows(&other.rate)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // "200 / minute" reads as "200 requests / minute".
        write!(f, "{} {}", self.dimension.quantity(self.rate.amount()), self.rate.over())?;
        self.rate.resets().map_or(Ok(()), |resets| write!(f, " ({resets})"))
    }
}
