//! `Outline`: the first reading of a request, which finds its model and its numbers and checks its shape.
//!
//! Clients write the fields in any order, `messages` before `model` as a rule, and no text can be counted
//! before its encoding is known. Keeping the texts would mean copying them; so params are read twice, and this
//! reading enters nothing.

use serde::Serialize;

use super::formula::Formula;
use super::images::Images;
use super::number::Number;
use super::shape::body;
use super::walk::{Reader, walk};
use super::{Encoding, Shape};
use crate::ParamsError;

/// What is known of a request before its texts are counted.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) encoding: Encoding,
    /// The name of the model, if it is to be kept.
    pub(super) model: String,
    pub(super) formula: &'static Formula,
    pub(super) images: &'static Images,
    /// The largest output of one choice, where the request names one.
    pub(super) output: Option<u64>,
    /// How many choices are made.
    pub(super) choices: u64,
}

impl Outline {
    /// The name of the model is copied, and kept, only for a tokenizer that asks for it.
    ///
    /// # Errors
    /// The first field of the shape that is missing or wrong.
    pub(super) fn of<T: Serialize + ?Sized>(
        params: &T,
        shape: &Shape,
        keep_model: bool,
    ) -> Result<Self, ParamsError> {
        let mut reading = Reading {
            shape,
            encoding: Encoding::O200kBase,
            model: String::new(),
            keep_model,
            formula: Formula::of(""),
            images: Images::of(""),
            output: None,
            choices: [None; 2],
            body: false,
            stray: None,
            problem: None,
        };
        walk(&mut reading, At::Params, params).map_err(|failed| shape.failed(&failed))?;
        if let Some((_, error)) = reading.problem {
            return Err(error);
        }
        if !reading.body {
            return Err(shape.missing(reading.stray));
        }
        let [named, instead] = reading.choices;
        Ok(Self {
            encoding: reading.encoding,
            model: reading.model,
            formula: reading.formula,
            images: reading.images,
            output: reading.output,
            choices: instead.or(named).unwrap_or(1).max(1),
        })
    }
}

struct Reading<'a> {
    shape: &'a Shape,
    encoding: Encoding,
    model: String,
    keep_model: bool,
    formula: &'static Formula,
    images: &'static Images,
    output: Option<u64>,
    /// By `Shape::choices`.
    choices: [Option<u64>; 2],
    /// Whether the body is there, or what may stand in for it.
    body: bool,
    /// What would be the body of another kind of request: the first by `shape::body`.
    stray: Option<usize>,
    /// What is wrong, and its place in the order of telling: that of the fields in the request must not matter.
    problem: Option<(usize, ParamsError)>,
}

#[derive(Clone, Copy)]
enum At {
    Params,
    Body,
    /// A field whose presence makes up for the body's absence.
    InPlaceOfBody,
    Model,
    /// By `Shape::outputs`.
    Output(usize),
    /// By `Shape::choices`.
    Choices(usize),
}

impl Reading<'_> {
    fn wrong(&mut self, at: At, found: &str) {
        let shape = self.shape;
        let (order, field, wanted) = match at {
            At::Params => (0, shape.body, "a map of fields"),
            At::Body => (1, shape.body, shape.wanted),
            At::Model => (2, "model", "a name"),
            At::Output(index) => (3 + index, shape.outputs[index], "a whole number of nought or more"),
            At::Choices(index) => (9 + index, shape.choices[index], "a whole number of nought or more"),
            At::InPlaceOfBody => return,
        };
        if self.problem.as_ref().is_none_or(|(first, _)| order < *first) {
            let whose = if matches!(at, At::Params) { "the params are " } else { "found " };
            self.problem = Some((order, ParamsError::new(field, format!("{whose}{found}, not {wanted}"))));
        }
    }
}

impl Reader for Reading<'_> {
    type At = At;

    fn field(&mut self, at: &mut At, key: &str) -> Option<At> {
        let At::Params = at else { return None };
        let place = |names: &[&str]| names.iter().position(|name| *name == key);
        if key == self.shape.body {
            Some(At::Body)
        } else if key == "model" {
            Some(At::Model)
        } else if let Some(index) = place(self.shape.outputs) {
            Some(At::Output(index))
        } else if let Some(index) = place(self.shape.choices) {
            Some(At::Choices(index))
        } else if place(self.shape.in_place_of_body).is_some() {
            Some(At::InPlaceOfBody)
        } else {
            let found = body(key);
            self.stray = self.stray.into_iter().chain(found).min();
            None
        }
    }

    fn item(&mut self, _: &mut At) -> Option<At> {
        None
    }

    fn map(&mut self, at: At) {
        match at {
            At::Params => {}
            At::InPlaceOfBody => self.body = true,
            _ => self.wrong(at, "a map"),
        }
    }

    fn list(&mut self, at: At) {
        match at {
            At::Body | At::InPlaceOfBody => self.body = true,
            _ => self.wrong(at, "a list"),
        }
    }

    fn null(&mut self, at: At) {
        if let At::Params = at {
            self.wrong(at, "null");
        }
    }

    fn boolean(&mut self, at: At) {
        self.wrong(at, "a boolean");
    }

    fn number(&mut self, at: At, number: Number) {
        let Number::Whole(value) = number else {
            return self.wrong(at, &number.to_string());
        };
        let value = u64::try_from(value).unwrap_or(u64::MAX);
        match at {
            At::Output(_) => self.output = self.output.max(Some(value)),
            At::Choices(index) => self.choices[index] = Some(value),
            _ => self.wrong(at, "a number"),
        }
    }

    fn text(&mut self, at: At, text: &str) {
        match at {
            At::Model => {
                self.encoding = Encoding::of(text);
                self.formula = Formula::of(text);
                self.images = Images::of(text);
                if self.keep_model {
                    text.clone_into(&mut self.model);
                }
            }
            At::Body if self.shape.text => self.body = true,
            At::InPlaceOfBody => self.body = true,
            _ => self.wrong(at, "a string"),
        }
    }
}
