//! OpenAI's requests: chat completions, completions, embeddings and responses.
//!
//! | file | contains |
//! | --- | --- |
//! | `formula` | the constants that are added to the tokens of texts, each with its source |
//! | `images` | the price of an image, by model, detail and size |
//! | `place` | `Place`: the places of a request, each of which has a rule |
//! | `shape` | `Shape`: the fields of each kind of request |
//! | `tally` | the prices of a model, and what they add to the tokens counted so far |
//! | `grammar` | the second reading: the rules for each place |
//!
//! A file imports only from files above it.

mod formula;
mod grammar;
mod images;
mod place;
mod shape;
mod tally;

use self::grammar::PromptReader;
use self::place::Place;
pub(super) use self::shape::Shape;
use self::tally::Model;
use super::common::{Fields, Grammar, Outline, Total};
use super::options::PriceOptions;

/// The output tokens that OpenAI itself appears to reserve for a request without a maximum.
const DEFAULT_OUTPUT: u64 = 16;

impl Grammar for Shape {
    type Model = Model;
    type Place = Place;
    type Reader<'a> = PromptReader<'a>;

    const PARAMS: Place = Place::Params;

    fn fields(&self) -> &Fields<Place> {
        &self.fields
    }

    fn model(name: &str) -> Model {
        Model::of(name)
    }

    fn reader<'a>(&'a self, outline: &'a Outline<Model>, options: &'a PriceOptions) -> PromptReader<'a> {
        let model = outline.model;
        PromptReader::new(self, model, outline.counting(model.encoding, model.factor, options))
    }

    fn input(reader: &PromptReader<'_>) -> Total {
        reader.total()
    }

    fn replies(&self, reader: &PromptReader<'_>, outline: &Outline<Model>) -> u64 {
        if self.replies { outline.choices.saturating_mul(reader.prompts()) } else { 0 }
    }

    fn output(outline: &Outline<Model>, options: &PriceOptions) -> u64 {
        outline.output.or(options.default_output).unwrap_or(DEFAULT_OUTPUT)
    }
}
