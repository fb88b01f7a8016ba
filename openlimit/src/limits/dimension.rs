//! `Dimension`: what a limit counts.

use std::borrow::Cow;
use std::fmt;

/// What a limit counts.
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
    /// Calls, whatever their size.
    Requests,
    /// Input and output tokens together.
    Tokens,
    /// Tokens of the prompt.
    InputTokens,
    /// Tokens of the answer.
    OutputTokens,
    /// Images asked for, as [`Cost::images`](crate::Cost::images) says. Those in a prompt count as tokens.
    Images,
    /// Whatever else a provider counts, by a name of your own.
    Custom(Cow<'static, str>),
}

impl Dimension {
    /// The dimensions that have a name of their own, in the order in which a `Cost` keeps them.
    pub(crate) const NAMED: [Self; 5] =
        [Self::Requests, Self::Tokens, Self::InputTokens, Self::OutputTokens, Self::Images];

    /// The dimension's name, as `limiter!` and the builder spell it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Images => "images",
            Self::Custom(name) => name,
        }
    }

    /// The dimension that has this name, where somebody spelt it out as a `Custom`.
    pub(crate) fn normal(self) -> Self {
        match self {
            Self::Custom(name) => Self::from(name),
            named => named,
        }
    }

    /// Where a `Cost` keeps this dimension, if it is one of `NAMED`.
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
