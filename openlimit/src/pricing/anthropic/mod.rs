//! Anthropic's requests: Messages.
//!
//! The tokenizer is not public, so texts are counted by another encoding and multiplied by the
//! factor of the model. Anthropic publishes the tokens of images and of what it adds for tools.
//!
//! | file | contains |
//! | --- | --- |
//! | `prices` | the prices of a model: images, files, tools, the frames of messages |
//! | `place` | `Place`: the places of a request, each of which has a rule |
//! | `fields` | the fields of a request |
//! | `blocks` | the rules for messages and their content |
//! | `tools` | the rules for tools and for the format of the reply |
//! | `reader` | `MessagesReader`: picks the rule for each value |
//!
//! A file imports only from files above it.

mod blocks;
mod fields;
mod place;
mod prices;
mod reader;
mod tools;

use self::fields::FIELDS;
use self::place::Place;
use self::prices::Model;
use self::reader::MessagesReader;
use super::common::{Fields, Grammar, Outline, Total};
use super::options::PriceOptions;
use crate::tokenizer::Encoding;

/// The grammar of Anthropic's Messages.
#[derive(Debug)]
pub(super) struct MessagesGrammar;

impl Grammar for MessagesGrammar {
    type Model = Model;
    type Place = Place;
    type Reader<'a> = MessagesReader<'a>;

    const PARAMS: Place = Place::Params;

    fn fields(&self) -> &Fields<Place> {
        &FIELDS
    }

    fn model(name: &str) -> Model {
        Model::of(name)
    }

    fn reader<'a>(&'a self, outline: &'a Outline<Model>, options: &'a PriceOptions) -> MessagesReader<'a> {
        let model = outline.model;
        MessagesReader::new(model, outline.counting(Encoding::O200kBase, model.factor, options))
    }

    fn input(reader: &MessagesReader<'_>) -> Total {
        reader.total()
    }

    fn output(outline: &Outline<Model>, options: &PriceOptions) -> u64 {
        outline.expected_output(options)
    }
}
