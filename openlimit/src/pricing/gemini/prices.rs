//! The prices of a model, and what the files of a request add to the tokens counted so far.

use super::media::{Generation, Media};
use crate::pricing::common::{self, InHand, Prices};
use crate::tokenizer::{Factor, version};

/// The tokens counted so far.
pub(super) type Tally<'a> = common::Tally<'a, Gemini>;

/// For each content: its role.
///
/// Source: the examples of `countTokens` in Google's page about tokens, where a chat of two turns
/// has two tokens more than its texts.
pub(super) const CONTENT: u64 = 1;

/// The part of a price that depends on the model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    pub(super) factor: Factor,
    pub(super) generation: Generation,
}

impl Model {
    /// Returns the prices of a model. One that is not a Gemini is taken for the newest of them.
    pub(super) fn of(name: &str) -> Self {
        let is_old = version(name, "gemini").is_some_and(|version| version < (3, 0));
        Self {
            factor: Factor::of(if name.is_empty() { "gemini" } else { name }),
            generation: if is_old { Generation::Tiles } else { Generation::Levels },
        }
    }
}

/// The prices of one request.
pub(crate) struct Gemini {
    generation: Generation,
    /// The resolution of files that have none of their own.
    level: Option<usize>,
    /// The file of the part that is being read.
    pub(super) file: InHand<Media>,
}

impl Gemini {
    pub(super) fn new(generation: Generation, level: Option<usize>) -> Self {
        Self { generation, level, file: InHand::default() }
    }

    fn tokens(&self, media: &Media) -> u64 {
        Media { level: media.level.or(self.level), ..*media }.tokens(self.generation)
    }
}

impl Prices for Gemini {
    fn file(&self) -> u64 {
        self.tokens(&Media { is_there: true, ..Media::default() })
    }
}

impl Tally<'_> {
    /// Notes something about the file of a part. If it was already added, its price changes.
    pub(super) fn learn(&mut self, part: u32, learn: impl FnOnce(&mut Media)) {
        learn(self.prices.file.of(part));
        let InHand { known, counted, .. } = &self.prices.file;
        let tokens = self.prices.tokens(known);
        self.replace(*counted, tokens);
        self.prices.file.counted = tokens;
    }
}
