//! `Outline`: the first reading of a request, which finds its model and its numbers and checks its
//! shape.
//!
//! A request is read twice. Clients write the fields in any order, as a rule the messages before
//! the model, and no text can be counted before the model is known. Keeping the texts would mean
//! copying them. So this reading finds what the counting depends on. It looks at the fields of the
//! request only, and into no list or map other than those of settings.

use serde::Serialize;

use super::fields::{CAMEL, Fields, First, body};
use crate::ParamsError;
use crate::pricing::options::PriceOptions;
use crate::pricing::walk::{Number, ValueReader, walk};
use crate::tokenizer::{Encoding, Factor, TextCounter};

/// The part of a request that is known before its texts are counted. `M` is what the grammar keeps
/// of the model.
#[derive(Debug)]
pub(crate) struct Outline<M> {
    pub(crate) model: M,
    /// The name of the model, if it is kept.
    name: String,
    /// The largest output of one choice, if the request names one.
    pub(crate) output: Option<u64>,
    /// The number of choices, at least one.
    pub(crate) choices: u64,
    /// The largest number of tokens that the model may think, if the request names one.
    pub(crate) thinking: Option<u64>,
    /// The index of the word that the request has at `First::Word`.
    pub(crate) word: Option<usize>,
}

impl<M> Outline<M> {
    /// Reads the outline of `params`. The name of the model is copied only for a tokenizer or
    /// a price that takes it.
    ///
    /// # Errors
    /// The first field that is missing or wrong.
    pub(crate) fn of<T: Serialize + ?Sized, P>(
        params: &T,
        fields: &Fields<P>,
        options: &PriceOptions,
        model: fn(&str) -> M,
    ) -> Result<Self, ParamsError> {
        let mut reader = OutlineReader {
            fields,
            model_of: model,
            model: None,
            name: String::new(),
            keep_name: options.tokenizer.is_some() || options.price.is_some(),
            output: None,
            choices: None,
            thinking: None,
            word: None,
            body: false,
            stray: None,
            problem: None,
        };
        walk(&mut reader, Field::Inside(&[]), params).map_err(|failed| fields.failed(&failed))?;
        if let Some((_, error)) = reader.problem {
            return Err(error);
        }
        if !reader.body {
            return Err(fields.missing(reader.stray));
        }
        let model = match reader.model.take() {
            Some(model) => model,
            None => reader.read_model(options.model.as_deref().unwrap_or_default()),
        };
        Ok(Self {
            model,
            name: reader.name,
            output: reader.output,
            choices: reader.choices.map_or(1, |(_, choices)| choices.max(1)),
            thinking: reader.thinking,
            word: reader.word,
        })
    }

    /// Returns the name of the model, if it is kept.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the counter for the request's texts, and the factor for its counts.
    pub(crate) fn counting<'a>(
        &'a self,
        encoding: Encoding,
        factor: Factor,
        options: &'a PriceOptions,
    ) -> (TextCounter<'a>, Factor) {
        let (counting, factor) = match &options.tokenizer {
            None => (TextCounter::Own(encoding), factor),
            Some(tokenizer) => (TextCounter::Plugged(tokenizer, &self.name), Factor::ONE),
        };
        (counting, options.input_factor.and_then(Factor::new).unwrap_or(factor))
    }

    /// Returns the output to reserve for a reply of a provider that limits what a model really puts
    /// out: what is expected, if the request allows as much. A maximum that the request names is no
    /// estimate, and most are far too high.
    pub(crate) fn expected_output(&self, options: &PriceOptions) -> u64 {
        let answer = options.default_output.unwrap_or(EXPECTED_OUTPUT);
        let each = answer.saturating_add(self.thinking.unwrap_or(0));
        each.min(self.output.unwrap_or(u64::MAX))
    }
}

/// The output tokens to expect of a call: an answer of about 400 words. An assumption.
const EXPECTED_OUTPUT: u64 = 500;

struct OutlineReader<'a, P: 'static, M> {
    fields: &'a Fields<P>,
    model_of: fn(&str) -> M,
    model: Option<M>,
    name: String,
    keep_name: bool,
    output: Option<u64>,
    /// The number of choices, and the index of its field in `Fields::first`.
    choices: Option<(usize, u64)>,
    thinking: Option<u64>,
    word: Option<usize>,
    /// True if the body is there, or a field that may replace it.
    body: bool,
    /// A field that is the body of another kind of request, by the index that `body` returns. Of
    /// several such fields, the one with the least index.
    stray: Option<usize>,
    /// The problem to report, and its rank. The problem of the lowest rank is reported, so that the
    /// order of the fields does not matter.
    problem: Option<(usize, ParamsError)>,
}

/// A place in the first reading.
#[derive(Clone, Copy)]
enum Field {
    /// The request, or a map of settings in it, with its path.
    Inside(&'static [&'static str]),
    Body,
    /// A field that may be there instead of the body.
    InPlaceOfBody,
    Model,
    /// By index in `Fields::first`.
    First(usize),
}

impl<P, M> OutlineReader<'_, P, M> {
    fn read_model(&mut self, name: &str) -> M {
        if self.keep_name {
            name.clone_into(&mut self.name);
        }
        (self.model_of)(name)
    }

    /// Returns the place of a field of the request, whatever its name is.
    fn top(&mut self, key: &str) -> Option<Field> {
        if key == self.fields.body {
            Some(Field::Body)
        } else if key == "model" {
            Some(Field::Model)
        } else if self.fields.in_place_of_body.contains(&key) {
            Some(Field::InPlaceOfBody)
        } else {
            let found = body(key);
            self.stray = self.stray.into_iter().chain(found).min();
            None
        }
    }

    fn wrong(&mut self, at: Field, found: &str) {
        let fields = self.fields;
        let (rank, path, expected) = match at {
            Field::Inside([]) => (0, &[fields.body][..], "a map of fields as the params"),
            Field::Inside(path) => (3, path, "a map of settings"),
            Field::Body => (1, &[fields.body][..], fields.expected),
            Field::Model => (2, &["model"][..], "a string"),
            Field::First(index) => match fields.first[index] {
                (_, First::Word(_)) => return,
                (path, _) => (4 + index, path, "a non-negative integer"),
            },
            Field::InPlaceOfBody => return,
        };
        if self.problem.as_ref().is_none_or(|(first, _)| rank < *first) {
            let problem = format!("expected {expected}, found {found}");
            self.problem = Some((rank, ParamsError::new(path.join("."), problem)));
        }
    }
}

impl<P, M> ValueReader for OutlineReader<'_, P, M> {
    type Place = Field;

    fn field(&mut self, at: &mut Field, key: &str) -> Option<Field> {
        let Field::Inside(path) = *at else { return None };
        let mut buffer = [0; CAMEL];
        let key = self.fields.name(key, &mut buffer);
        let depth = path.len();
        for (index, (first, _)) in self.fields.first.iter().enumerate() {
            if first.get(depth).is_some_and(|name| *name == key) && first[..depth] == *path {
                let is_end = first.len() == depth + 1;
                return Some(if is_end { Field::First(index) } else { Field::Inside(&first[..=depth]) });
            }
        }
        if path.is_empty() { self.top(key) } else { None }
    }

    fn item(&mut self, _: &mut Field) -> Option<Field> {
        None
    }

    fn map(&mut self, at: Field) {
        match at {
            Field::Inside(_) => {}
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
        if let Field::Inside([]) = at {
            self.wrong(at, "null");
        }
    }

    fn boolean(&mut self, at: Field) {
        self.wrong(at, "a boolean");
    }

    fn number(&mut self, at: Field, number: Number) {
        let first = match at {
            Field::First(index) => Some((index, self.fields.first[index].1)),
            _ => None,
        };
        let value = match (number, first) {
            (Number::Whole(value), _) => u64::try_from(value).unwrap_or(u64::MAX),
            (Number::Negative(_), Some((_, First::Thinking))) => return,
            _ => return self.wrong(at, &number.to_string()),
        };
        match first {
            Some((_, First::Output)) => self.output = self.output.max(Some(value)),
            Some((index, First::Choices)) if self.choices.is_none_or(|(last, _)| last <= index) => {
                self.choices = Some((index, value));
            }
            Some((_, First::Thinking)) => self.thinking = self.thinking.max(Some(value)),
            Some((_, First::Choices | First::Word(_))) => {}
            None => self.wrong(at, "a number"),
        }
    }

    fn text(&mut self, at: Field, text: &str) {
        match at {
            Field::Model => self.model = Some(self.read_model(text)),
            Field::Body if self.fields.text => self.body = true,
            Field::InPlaceOfBody => self.body = true,
            Field::First(index) => match self.fields.first[index].1 {
                First::Word(words) => {
                    self.word = words.iter().position(|word| word.eq_ignore_ascii_case(text))
                }
                _ => self.wrong(at, "a string"),
            },
            _ => self.wrong(at, "a string"),
        }
    }
}
