//! Gemini's requests: `generateContent` and `streamGenerateContent`.
//!
//! The names of fields are camelCase. The API takes them in snake_case, too, and some clients write
//! them so. The model is in the path and not in the request.
//!
//! The tokenizer is not public, so texts are counted by another encoding and multiplied by a
//! factor. Google publishes the tokens of images, sounds and videos.
//!
//! | file | contains |
//! | --- | --- |
//! | `media` | the price of a file, by model, type, size and resolution |
//! | `prices` | what the media add to the tokens counted so far |
//! | `place` | `Place`: the places of a request, each of which has a rule |
//! | `fields` | the fields of a request, and of the maps in it |
//! | `reader` | `GenerateContentReader`: counts each value by the rule of its place |
//!
//! A file imports only from files above it.

mod fields;
mod media;
mod place;
mod prices;
mod reader;

use self::fields::FIELDS;
use self::place::Place;
use self::prices::{Gemini, Model};
use self::reader::GenerateContentReader;
use super::common::{Fields, Grammar, Outline, Total};
use super::options::PriceOptions;
use crate::tokenizer::Encoding;

/// The grammar of Gemini's `generateContent`.
#[derive(Debug)]
pub(super) struct GenerateContentGrammar;

impl Grammar for GenerateContentGrammar {
    type Model = Model;
    type Place = Place;
    type Reader<'a> = GenerateContentReader<'a>;

    const PARAMS: Place = Place::Params;

    fn fields(&self) -> &Fields<Place> {
        &FIELDS
    }

    fn model(name: &str) -> Model {
        Model::of(name)
    }

    fn reader<'a>(
        &'a self,
        outline: &'a Outline<Model>,
        options: &'a PriceOptions,
    ) -> GenerateContentReader<'a> {
        let counting = outline.counting(Encoding::O200kBase, outline.model.factor, options);
        GenerateContentReader::new(Gemini::new(outline.model.generation, outline.word), counting)
    }

    fn input(reader: &GenerateContentReader<'_>) -> Total {
        reader.total()
    }

    fn output(outline: &Outline<Model>, options: &PriceOptions) -> u64 {
        outline.expected_output(options)
    }
}
