//! `Outline`: the first reading of a request, which finds its model and its numbers and checks its
//! shape.
//!
//! It looks at the fields of the request only, and never into the list or the map in one.

use serde::Serialize;

use super::formula::Formula;
use super::images::Images;
use super::shape::{Shape, body};
use crate::ParamsError;
use crate::pricing::walk::{Number, ValueReader, walk};
use crate::tokenizer::Encoding;

/// The part of a request that is known before its texts are counted.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) model: Model,
    /// The name of the model, if it is kept.
    pub(super) name: String,
    /// The largest output of one choice, if the request names one.
    pub(super) output: Option<u64>,
    /// The number of choices, at least one.
    pub(super) choices: u64,
}

/// The part of a price that depends on the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    pub(super) encoding: Encoding,
    pub(super) formula: &'static Formula,
    pub(super) images: &'static Images,
}

impl Model {
    fn of(name: &str) -> Self {
        let encoding = Encoding::of(name);
        Self { encoding, formula: Formula::of(name, encoding), images: Images::of(name) }
    }
}

impl Outline {
    /// Reads the outline of `params`. The name of the model is copied only if `keep_name` is set,
    /// for a tokenizer that takes it.
    ///
    /// # Errors
    /// The first field of the shape that is missing or wrong.
    pub(super) fn of<T: Serialize + ?Sized>(
        params: &T,
        shape: &Shape,
        keep_name: bool,
    ) -> Result<Self, ParamsError> {
        let mut reader = OutlineReader {
            shape,
            model: None,
            name: String::new(),
            keep_name,
            output: None,
            choices: [None; 2],
            body: false,
            stray: None,
            problem: None,
        };
        walk(&mut reader, Field::Params, params).map_err(|failed| shape.failed(&failed))?;
        if let Some((_, error)) = reader.problem {
            return Err(error);
        }
        if !reader.body {
            return Err(shape.missing(reader.stray));
        }
        let [first, second] = reader.choices;
        Ok(Self {
            model: reader.model.unwrap_or_else(|| Model::of("")),
            name: reader.name,
            output: reader.output,
            choices: second.or(first).unwrap_or(1).max(1),
        })
    }
}

struct OutlineReader<'a> {
    shape: &'a Shape,
    model: Option<Model>,
    name: String,
    keep_name: bool,
    output: Option<u64>,
    /// By index in `Shape::choices`.
    choices: [Option<u64>; 2],
    /// True if the body is there, or a field that may replace it.
    body: bool,
    /// A field that is the body of another kind of request, by the index that `shape::body`
    /// returns. Of several such fields, the one with the least index.
    stray: Option<usize>,
    /// The problem to report, and its rank. The problem of the lowest rank is reported, so that the
    /// order of the fields does not matter.
    problem: Option<(usize, ParamsError)>,
}

/// A place in the first reading.
#[derive(Clone, Copy)]
enum Field {
    Params,
    Body,
    /// A field that may be there instead of the body.
    InPlaceOfBody,
    Model,
    /// By index in `Shape::outputs`.
    Output(usize),
    /// By index in `Shape::choices`.
    Choices(usize),
}

impl OutlineReader<'_> {
    fn wrong(&mut self, at: Field, found: &str) {
        const INTEGER: &str = "a non-negative integer";
        let shape = self.shape;
        let (rank, field, expected) = match at {
            Field::Params => (0, shape.body, "a map of fields as the params"),
            Field::Body => (1, shape.body, shape.expected),
            Field::Model => (2, "model", "a string"),
            Field::Output(index) => (3 + index, shape.outputs[index], INTEGER),
            Field::Choices(index) => (3 + shape.outputs.len() + index, shape.choices[index], INTEGER),
            Field::InPlaceOfBody => return,
        };
        if self.problem.as_ref().is_none_or(|(first, _)| rank < *first) {
            let problem = format!("expected {expected}, found {found}");
            self.problem = Some((rank, ParamsError::new(field, problem)));
        }
    }
}

impl ValueReader for OutlineReader<'_> {
    type Place = Field;

    fn field(&mut self, at: &mut Field, key: &str) -> Option<Field> {
        let Field::Params = at else { return None };
        let place = |names: &[&str]| names.iter().position(|name| *name == key);
        if key == self.shape.body {
            Some(Field::Body)
        } else if key == "model" {
            Some(Field::Model)
        } else if let Some(index) = place(self.shape.outputs) {
            Some(Field::Output(index))
        } else if let Some(index) = place(self.shape.choices) {
            Some(Field::Choices(index))
        } else if place(self.shape.in_place_of_body).is_some() {
            Some(Field::InPlaceOfBody)
        } else {
            let found = body(key);
            self.stray = self.stray.into_iter().chain(found).min();
            None
        }
    }

    fn item(&mut self, _: &mut Field) -> Option<Field> {
        None
    }

    fn map(&mut self, at: Field) {
        match at {
            Field::Params => {}
            Field::InPlaceOfBody => self.body = true,
            _ => self.wrong(at, "a map"),
        }
    }

    fn list(&mut self, at: Field) {
        match at {
            Field::Body | Field::InPlaceOfBody => self.body = true,
            _ => self.wrong(at, "a list"),
        }
    }

    fn null(&mut self, at: Field) {
        if let Field::Params = at {
            self.wrong(at, "null");
        }
    }

    fn boolean(&mut self, at: Field) {
        self.wrong(at, "a boolean");
    }

    fn number(&mut self, at: Field, number: Number) {
        let Number::Whole(value) = number else {
            return self.wrong(at, &number.to_string());
        };
        let value = u64::try_from(value).unwrap_or(u64::MAX);
        match at {
            Field::Output(_) => self.output = self.output.max(Some(value)),
            Field::Choices(index) => self.choices[index] = Some(value),
            _ => self.wrong(at, "a number"),
        }
    }

    fn text(&mut self, at: Field, text: &str) {
        match at {
            Field::Model => {
                self.model = Some(Model::of(text));
                if self.keep_name {
                    text.clone_into(&mut self.name);
                }
            }
            Field::Body if self.shape.text => self.body = true,
            Field::InPlaceOfBody => self.body = true,
            _ => self.wrong(at, "a string"),
        }
    }
}
