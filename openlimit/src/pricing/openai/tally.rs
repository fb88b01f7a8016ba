//! `Tally`: the tokens counted so far in a request's input.
//!
//! Texts are kept apart from the rest, because [`Charge::OpenAi`](crate::Charge) estimates them by
//! their characters.

use super::formula::{self, Formula};
use super::images::{Detail, Image, Images};
use crate::pricing::escape::escaped;
use crate::pricing::pixels::Pixels;
use crate::tokenizer::Counting;

/// The tokens counted so far.
pub(super) struct Tally<'a> {
    counting: Counting<'a>,
    pub(super) formula: &'static Formula,
    images: &'static Images,
    /// The image that is being read, if any.
    pub(super) image: Image,
    texts: Length,
    /// The tokens of everything that is not text.
    rest: u64,
    /// The text after each prompt.
    pub(super) suffix: Length,
    /// Prompts that are texts or lists.
    prompts: u64,
    /// True if there is also a prompt that is a bare array of tokens.
    pub(super) token_array: bool,
}

/// The size of a request's input.
#[derive(Debug)]
pub(super) struct Total {
    /// The tokens of all of it.
    pub(super) tokens: u64,
    /// The same, with texts estimated at four characters a token.
    pub(super) estimate: u64,
    /// The number of prompts, each of which gets a reply of its own. At least one.
    pub(super) prompts: u64,
}

impl<'a> Tally<'a> {
    pub(super) fn new(formula: &'static Formula, images: &'static Images, counting: Counting<'a>) -> Self {
        Self {
            counting,
            formula,
            images,
            image: Image::default(),
            texts: Length::default(),
            rest: 0,
            suffix: Length::default(),
            prompts: 0,
            token_array: false,
        }
    }

    pub(super) fn total(&self) -> Total {
        let prompts = self.prompts.saturating_add(self.token_array.into()).max(1);
        let texts = self.texts.and(self.suffix.times(prompts));
        Total {
            tokens: texts.tokens.saturating_add(self.rest),
            estimate: texts.characters.div_ceil(formula::CHARACTERS).saturating_add(self.rest),
            prompts,
        }
    }

    /// Adds tokens that are not text.
    pub(super) fn add(&mut self, tokens: u64) {
        self.rest = self.rest.saturating_add(tokens);
    }

    /// Adds tokens that are not text, or takes some back.
    pub(super) fn adjust(&mut self, tokens: i64) {
        self.rest = self.rest.saturating_add_signed(tokens);
    }

    /// Adds a prompt, without its texts.
    pub(super) fn prompt(&mut self) {
        self.prompts = self.prompts.saturating_add(1);
    }

    /// Adds a message, without its texts. Until its role is known, the role counts as one.
    pub(super) fn message(&mut self) {
        self.add(self.formula.message);
        self.adjust(formula::ROLE);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.texts = self.texts.and(self.measured(text));
    }

    /// Adds a text as JSON writes it. Unless it has escapes, its quotes are part of the price of
    /// the entry or the item that it is.
    pub(super) fn json(&mut self, text: &str) {
        match escaped(text) {
            None => self.text(text),
            Some(json) => {
                self.text(&json);
                self.add(formula::ESCAPED);
            }
        }
    }

    pub(super) fn measured(&self, text: &str) -> Length {
        Length::of(text, self.counting.count(text))
    }

    /// Adds the text after a colon. The cookbook counts the two as one text, without a final point.
    pub(super) fn label(&mut self, text: &str) {
        let label = text.strip_suffix('.').unwrap_or(text);
        self.texts = self.texts.and(Length::of(label, self.counting.count_after_colon(label)));
    }

    /// Adds a name before a colon. [`label`](Self::label) counts the colon, with the text after it.
    ///
    /// That is exact after a letter or a digit, where every encoding splits. After an underscore
    /// the colon merges with the name instead, and the text after it may take one token more. Any
    /// other character is assumed to do the same.
    pub(super) fn heading(&mut self, name: &str) {
        self.text(name);
        self.add((!name.ends_with(|last: char| last.is_ascii_alphanumeric())).into());
    }

    /// Adds an image, or replaces its price when its size becomes known.
    pub(super) fn see(&mut self, size: Option<Pixels>) {
        self.image.size = size.or(self.image.size);
        let tokens = self.images.tokens(self.image.size, self.image.detail.unwrap_or(Detail::Full));
        self.rest = self.rest.saturating_sub(self.image.counted.replace(tokens).unwrap_or(0));
        self.add(tokens);
    }

    /// Sets the detail of the image that is being read. If it was already added, its price changes.
    pub(super) fn look(&mut self, detail: Detail) {
        self.image.detail = self.image.detail.max(Some(detail));
        if self.image.counted.is_some() {
            self.see(None);
        }
    }

    /// Returns the tokens of a file, which counts as one page: its text, and an image of it.
    pub(super) fn file(&self) -> u64 {
        formula::PAGE + self.largest_image()
    }

    pub(super) fn largest_image(&self) -> u64 {
        self.images.tokens(None, Detail::Full)
    }
}

/// The length of texts, measured in two ways.
#[derive(Clone, Copy, Default)]
pub(super) struct Length {
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

    fn times(self, number: u64) -> Self {
        Self {
            tokens: self.tokens.saturating_mul(number),
            characters: self.characters.saturating_mul(number),
        }
    }
}
