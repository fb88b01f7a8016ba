//! What OpenAI's grammar counts by: the model's prices, and the prompts that get a reply each.

use super::formula::{self, Formula};
use super::images::{Detail, Image, Images};
use crate::pricing::common::{self, Length, Prices, Total};
use crate::pricing::pixels::Pixels;
use crate::tokenizer::{Encoding, Factor};

/// The tokens counted so far.
pub(super) type Tally<'a> = common::Tally<'a, OpenAi>;

/// The part of a price that depends on the model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    pub(super) encoding: Encoding,
    pub(super) factor: Factor,
    pub(super) formula: &'static Formula,
    images: &'static Images,
}

impl Model {
    pub(super) fn of(name: &str) -> Self {
        let (encoding, factor) = match Encoding::known(name) {
            Some(encoding) => (encoding, Factor::ONE),
            None => (Encoding::of(name), Factor::of(name)),
        };
        Self { encoding, factor, formula: Formula::of(name, encoding), images: Images::of(name) }
    }
}

/// The prices of one request.
pub(super) struct OpenAi {
    pub(super) model: Model,
    /// The image that is being read, if any.
    pub(super) image: Image,
    /// The text after each prompt.
    pub(super) suffix: Length,
    /// Prompts that are texts or lists.
    prompts: u64,
    /// True if there is also a prompt that is a bare array of tokens.
    pub(super) token_array: bool,
}

impl OpenAi {
    pub(super) fn new(model: Model) -> Self {
        Self { model, image: Image::default(), suffix: Length::default(), prompts: 0, token_array: false }
    }

    /// Returns the number of prompts, each of which gets a reply of its own. At least one.
    pub(super) fn prompts(&self) -> u64 {
        self.prompts.saturating_add(self.token_array.into()).max(1)
    }

    pub(super) fn largest_image(&self) -> u64 {
        self.model.images.tokens(None, Detail::Full)
    }
}

impl Prices for OpenAi {
    /// Returns the tokens of a file, which counts as one page: its text, and an image of it.
    fn file(&self) -> u64 {
        formula::PAGE + self.largest_image()
    }
}

impl Tally<'_> {
    pub(super) fn total_of_prompts(&self) -> Total {
        self.total_with(self.prices.suffix.times(self.prices.prompts()))
    }

    /// Adds a prompt, without its texts.
    pub(super) fn prompt(&mut self) {
        self.prices.prompts = self.prices.prompts.saturating_add(1);
    }

    /// Adds a message, without its texts. Until its role is known, the role counts as one.
    pub(super) fn message(&mut self) {
        self.add(self.prices.model.formula.message);
        self.adjust(formula::ROLE);
    }

    /// Adds the text after a colon. The cookbook counts the two as one text, without a final point.
    pub(super) fn label(&mut self, text: &str) {
        self.text_after_colon(text.strip_suffix('.').unwrap_or(text));
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
        let Image { size: known, detail, counted } = self.prices.image;
        let size = size.or(known);
        let tokens = self.prices.model.images.tokens(size, detail.unwrap_or(Detail::Full));
        self.replace(counted, tokens);
        self.prices.image = Image { size, detail, counted: tokens };
    }

    /// Sets the detail of the image that is being read. If it was already added, its price changes.
    pub(super) fn look(&mut self, detail: Detail) {
        let image = &mut self.prices.image;
        image.detail = image.detail.max(Some(detail));
        if image.counted > 0 {
            self.see(None);
        }
    }
}
