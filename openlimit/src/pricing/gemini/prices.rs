//! The prices of a model, and what the files of a request add to the tokens counted so far.

use super::media::{Generation, Media, Type};
use crate::pricing::common::{self, Prices};
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
    /// The number of parts so far.
    parts: u32,
    file: File,
}

/// The file of the part that is read. What is known of it comes in any order.
#[derive(Default)]
struct File {
    /// The part that it is in.
    part: u32,
    media: Media,
    /// True if the part has a file.
    is_there: bool,
    /// The tokens that were added for it.
    counted: u64,
}

impl Gemini {
    pub(super) fn new(generation: Generation, level: Option<usize>) -> Self {
        Self { generation, level, parts: 0, file: File::default() }
    }

    /// Begins a part. Returns its number.
    pub(super) fn part(&mut self) -> u32 {
        self.parts = self.parts.wrapping_add(1);
        self.parts
    }
}

impl Prices for Gemini {
    fn file(&self) -> u64 {
        Media { kind: Type::Document, level: self.level, ..Media::default() }.tokens(self.generation)
    }
}

impl Tally<'_> {
    /// Adds the file of a part.
    pub(super) fn file(&mut self, part: u32, learn: impl FnOnce(&mut Media)) {
        self.learn(part, |file| {
            file.is_there = true;
            learn(&mut file.media);
        });
    }

    /// Notes something about the file of a part. If it was already added, its price changes.
    pub(super) fn about_file(&mut self, part: u32, learn: impl FnOnce(&mut Media)) {
        self.learn(part, |file| learn(&mut file.media));
    }

    fn learn(&mut self, part: u32, learn: impl FnOnce(&mut File)) {
        let Gemini { generation, level, file, .. } = &mut self.prices;
        if file.part != part {
            *file = File { part, media: Media { level: *level, ..Media::default() }, ..File::default() };
        }
        learn(file);
        let tokens = if file.is_there { file.media.tokens(*generation) } else { 0 };
        let mut counted = file.counted;
        self.replace(&mut counted, tokens);
        self.prices.file.counted = counted;
    }
}
