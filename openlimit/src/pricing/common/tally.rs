//! `Tally`: the tokens counted so far in a request's input.
//!
//! Texts are kept apart from the rest for two reasons. [`Charge::OpenAi`](crate::Charge) estimates
//! them by their characters. And only they are multiplied by the factor of a model whose tokenizer
//! is not public: providers publish what they add to texts in tokens of their own.

use crate::pricing::escape::escaped;
use crate::tokenizer::{Factor, TextCounter};

/// The tokens counted so far, with the prices of the request's model.
pub(crate) struct Tally<'a, P> {
    counting: TextCounter<'a>,
    factor: Factor,
    pub(crate) prices: P,
    texts: Length,
    /// The tokens of punctuation and numbers.
    marks: u64,
    /// The tokens of everything that is not text.
    rest: u64,
}

/// What a provider charges for content other than text.
pub(crate) trait Prices {
    /// Returns the tokens of a file of unknown content.
    fn file(&self) -> u64;
}

/// The size of a request's input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Total {
    /// The tokens of all of it.
    pub(crate) tokens: u64,
    /// The same, with texts estimated at four characters a token.
    pub(crate) estimate: u64,
}

impl Total {
    /// Adds tokens that are not text.
    pub(crate) fn and(self, tokens: u64) -> Self {
        Self { tokens: self.tokens.saturating_add(tokens), estimate: self.estimate.saturating_add(tokens) }
    }
}

/// For each entry of a map in JSON: its quotes, colon and comma. An assumption.
const ENTRY: u64 = 2;

/// For each text in JSON that has escapes: its quotes, which share no token with an escape. An
/// assumption.
const ESCAPED: u64 = 2;

/// For each item of a list in JSON: its comma. An assumption.
const ITEM: u64 = 1;

/// The bytes of sealed text that count as one token: base64 of three bytes of text.
///
/// An assumption. The sealed text, which is reasoning that the client sends back, cannot be
/// counted. English has more than four bytes a token, so this is rather too much than too little.
const SEALED_BYTES: u64 = 4;

/// The characters of text that count as one token in OpenAI's own estimate.
///
/// Source: OpenAI's rule of thumb for English.
const CHARACTERS: u64 = 4;

impl<'a, P> Tally<'a, P> {
    pub(crate) fn new(counting: TextCounter<'a>, factor: Factor, prices: P) -> Self {
        Self { counting, factor, prices, texts: Length::default(), marks: 0, rest: 0 }
    }

    pub(crate) fn total(&self) -> Total {
        self.total_with(Length::default())
    }

    /// Returns the total, with these texts besides the ones counted so far.
    pub(crate) fn total_with(&self, more: Length) -> Total {
        let texts = self.texts.and(more);
        let rest = self.rest.saturating_add(self.marks);
        Total {
            tokens: self.factor.times(texts.tokens.saturating_add(self.marks)).saturating_add(self.rest),
            estimate: texts.characters.div_ceil(CHARACTERS).saturating_add(rest),
        }
    }

    /// Adds tokens that are not text.
    pub(crate) fn add(&mut self, tokens: u64) {
        self.rest = self.rest.saturating_add(tokens);
    }

    /// Adds tokens that are not text, or takes some back.
    pub(crate) fn adjust(&mut self, tokens: i64) {
        self.rest = self.rest.saturating_add_signed(tokens);
    }

    /// Adds tokens that are not text in place of what was added before for the same content.
    pub(crate) fn replace(&mut self, before: u64, tokens: u64) {
        self.rest = self.rest.saturating_sub(before);
        self.add(tokens);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.texts = self.texts.and(self.measured(text));
    }

    pub(crate) fn measured(&self, text: &str) -> Length {
        Length::of(text, self.counting.count(text))
    }

    /// Adds text that follows a colon. The two are counted as one text.
    pub(crate) fn text_after_colon(&mut self, text: &str) {
        self.texts = self.texts.and(Length::of(text, self.counting.count_after_colon(text)));
    }

    /// Adds a text as JSON writes it. Unless it has escapes, its quotes are part of the price of
    /// the entry or the item that it is.
    pub(crate) fn json(&mut self, text: &str) {
        match escaped(text) {
            None => self.text(text),
            Some(json) => {
                self.text(&json);
                self.mark(ESCAPED);
            }
        }
    }

    /// Adds the tokens of punctuation or a number.
    pub(crate) fn mark(&mut self, tokens: u64) {
        self.marks = self.marks.saturating_add(tokens);
    }

    /// Adds the punctuation of an entry of a map.
    pub(crate) fn entry(&mut self) {
        self.mark(ENTRY);
    }

    /// Adds the punctuation of an item of a list.
    pub(crate) fn item(&mut self) {
        self.mark(ITEM);
    }

    /// Adds encrypted text, which the client cannot read.
    pub(crate) fn sealed(&mut self, text: &str) {
        self.add(text.len() as u64 / SEALED_BYTES);
    }
}

/// The length of texts, measured in two ways.
#[derive(Clone, Copy, Default)]
pub(crate) struct Length {
    tokens: u64,
    characters: u64,
}

impl Length {
    fn of(text: &str, tokens: u64) -> Self {
        Self { tokens, characters: text.chars().count() as u64 }
    }

    fn and(self, more: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(more.tokens),
            characters: self.characters.saturating_add(more.characters),
        }
    }

    pub(crate) fn times(self, number: u64) -> Self {
        Self {
            tokens: self.tokens.saturating_mul(number),
            characters: self.characters.saturating_mul(number),
        }
    }
}
