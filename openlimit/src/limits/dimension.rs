//! `Dimension`: what a limit counts.
//!
//! The dimensions that most providers limit are variants, so that a `Cost` can keep their amounts
//! in an array. Any other is a name, since a provider may limit anything.

use std::borrow::Cow;
use std::fmt;

use super::Dollars;

/// The unit that a limit counts: requests, tokens, images, or a unit of your own.
///
/// Each dimension has a name. A string converts into the known dimension of that name, or into a
/// [`Custom`](Dimension::Custom) one.
///
/// ```
/// use openlimit::Dimension;
///
/// assert_eq!(Dimension::from("tokens"), Dimension::Tokens);
/// assert_eq!(Dimension::from("audio_seconds").to_string(), "audio_seconds");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dimension {
    /// Calls, regardless of their size.
    Requests,
    /// Input and output tokens together.
    Tokens,
    /// Tokens of the prompt.
    InputTokens,
    /// Tokens of the completion.
    OutputTokens,
    /// Images that a call asks to be generated, set by [`Cost::images`](crate::Cost::images).
    /// Images in a prompt count as tokens.
    Images,
    /// Money, in millionths of a dollar: [`Builder::spend`](crate::Builder::spend).
    Spend,
    /// Anything else that a provider counts, by a name of your own.
    Custom(Cow<'static, str>),
}

impl Dimension {
    /// The known dimensions, in the order in which a `Cost` stores them.
    pub(crate) const NAMED: [Self; 6] =
        [Self::Requests, Self::Tokens, Self::InputTokens, Self::OutputTokens, Self::Images, Self::Spend];

    /// Returns the dimension's name, as `limiter!` and the builder spell it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Images => "images",
            Self::Spend => "spend",
            Self::Custom(name) => name,
        }
    }

    /// Shows an amount: `200`, or `$0.25` of money.
    pub(crate) fn count(&self, amount: u64) -> impl fmt::Display {
        Count { amount, is_money: *self == Self::Spend }
    }

    /// Shows an amount with its unit: `200 requests`, or `$0.25`.
    pub(crate) fn quantity(&self, amount: u64) -> impl fmt::Display {
        let unit = if *self == Self::Spend { String::new() } else { format!(" {self}") };
        format!("{}{unit}", self.count(amount))
    }

    /// Returns true for tokens of any kind.
    pub(crate) fn counts_tokens(&self) -> bool {
        matches!(self, Self::Tokens | Self::InputTokens | Self::OutputTokens)
    }

    /// Turns a `Custom` with the name of a known dimension into that dimension.
    pub(crate) fn normal(self) -> Self {
        match self {
            Self::Custom(name) => Self::from(name),
            named => named,
        }
    }

    /// Returns the dimension's place in `NAMED`; `None` for a custom one.
    pub(crate) fn index(&self) -> Option<usize> {
        Self::NAMED.iter().position(|named| named == self)
    }
}

impl<S: Into<Cow<'static, str>>> From<S> for Dimension {
    fn from(name: S) -> Self {
        let name = name.into();
        let named = Self::NAMED.into_iter().find(|dimension| dimension.name() == name);
        named.unwrap_or(Self::Custom(name))
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An amount, as people read it.
struct Count {
    amount: u64,
    is_money: bool,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_money { Dollars::from_micros(self.amount).fmt(f) } else { self.amount.fmt(f) }
    }
}
