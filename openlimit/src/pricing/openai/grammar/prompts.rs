//! Prompts of completions and inputs of embeddings: texts or arrays of tokens, one or several.
//!
//! Each prompt gets a reply of its own, so prompts are counted as well as their tokens. A list of
//! numbers is one prompt, and each number is one token.

use super::rules::Rules;
use crate::pricing::common::Plain;
use crate::pricing::openai::place::{Place, PromptPlace};
use crate::pricing::openai::tally::Tally;
use crate::pricing::walk::Number;

impl Rules for PromptPlace {
    #[inline]
    fn item(&mut self, tally: &mut Tally<'_>) -> Option<Place> {
        Some(match self {
            Self::All => Place::Prompt(Self::One),
            Self::One | Self::Token => Place::Prompt(Self::Token),
            Self::Suffix => Plain::UNKNOWN.item(tally).into(),
        })
    }

    #[inline]
    fn list(self, tally: &mut Tally<'_>) {
        if let Self::One = self {
            tally.prompt();
        }
    }

    #[inline]
    fn number(self, tally: &mut Tally<'_>, number: Number) {
        match self {
            Self::One => {
                tally.prices.token_array = true;
                tally.add(1);
            }
            Self::Token => tally.add(1),
            Self::All | Self::Suffix => tally.add(number.tokens()),
        }
    }

    #[inline]
    fn text(self, tally: &mut Tally<'_>, text: &str) {
        match self {
            Self::All | Self::One => {
                tally.prompt();
                tally.text(text);
            }
            Self::Suffix => tally.prices.suffix = tally.measured(text),
            Self::Token => tally.text(text),
        }
    }
}
