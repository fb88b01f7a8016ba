//! `Prompt`: the second reading of a request, which counts what the model gets to read.
//!
//! It is a grammar: [`At`] names the places of a request, and `field` says for each place what its fields are.
//! Three rules decide about a field: what the model reads is counted; what only the API reads (ids, types, log
//! probabilities) is not; and what is unknown counts as its text, since an estimate that is too high wastes a
//! little and one that is too low breaks the limit. Images, sounds and files have prices of their own; of an
//! image's bytes the header is read, of the others nothing.

use serde::Serialize;

use super::Shape;
use super::formula;
use super::images::{Detail, Image};
use super::number::Number;
use super::outline::Outline;
use super::pixels::Pixels;
use super::place::At;
use super::tally::{Tally, is_data};
use super::tokenizer::Counting;
use super::walk::{Reader, walk};
use crate::ParamsError;

/// What a request's input comes to.
#[derive(Debug)]
pub(super) struct Prompt {
    /// The tokens of all of it.
    pub(super) tokens: u64,
    /// What they would be at four characters of text a token.
    pub(super) estimate: u64,
    /// How many prompts it holds, each of which gets a reply of its own; at least one.
    pub(super) prompts: u64,
}

impl Prompt {
    /// # Errors
    /// If the params' own `Serialize` fails.
    pub(super) fn of<T: Serialize + ?Sized>(
        params: &T,
        shape: &Shape,
        outline: &Outline,
        counting: Counting<'_>,
    ) -> Result<Self, ParamsError> {
        let mut tally = Tally::new(shape, outline, counting);
        walk(&mut tally, At::Params, params).map_err(|failed| shape.failed(&failed))?;
        Ok(tally.sum())
    }
}

impl Reader for Tally<'_> {
    type At = At;

    fn field(&mut self, at: &mut At, key: &str) -> Option<At> {
        Some(match (&mut *at, key) {
            (At::Params, _) => {
                return self.shape.counted.iter().find(|(name, _)| *name == key).map(|(_, at)| *at);
            }

            (At::Message, "id" | "type" | "status") => return None,
            (At::Message, "role") => At::Role,
            (At::Message, "call_id" | "tool_call_id" | "refusal") => At::Text,
            (At::Message, "arguments" | "input" | "action" | "code" | "queries") => {
                self.add(formula::CALL);
                At::unknown(key)
            }
            (At::Message, "content" | "output" | "summary") => At::Content,
            (At::Message, "name") => At::Name,
            (At::Message, "tool_calls") => At::Calls,
            (At::Message, "function_call") => At::Call,
            (At::Message, "audio") => At::Flat(formula::AUDIO),
            (At::Message, "result") => At::Drawn,
            (At::Message, "encrypted_content") => At::Sealed,

            (At::Content, "id" | "type" | "logprobs") => return None,
            (At::Content, "text" | "refusal" | "filename") => At::Text,
            (At::Content, "image_url") | (At::Image, "url") => At::Image,
            (At::Content | At::Image, "detail") => At::Detail,
            (At::Content, "input_audio" | "audio") => At::Flat(formula::AUDIO),
            (At::Content, "file" | "file_data" | "file_url" | "file_id") => At::Flat(self.file()),

            (At::Call | At::Called, "id" | "type" | "index") => return None,
            (At::Call | At::Called, "function" | "custom") => At::Called,
            (At::Call | At::Called, "name" | "arguments" | "input") => At::Text,

            (At::Template, "variables") => At::Variables,
            (At::Variables, _) => At::Content,

            (At::Tool, "type") => At::ToolType,
            (At::Tool | At::Function, "type" | "strict") => return None,
            (At::Tool | At::Function, "function" | "custom") => At::Function,
            (At::Tool | At::Function, "name") => At::Heading,
            (At::Tool | At::Function, "parameters") => At::Parameters,
            (At::Parameters, "type") => return None,
            (At::Parameters | At::Property, "required") => return None,
            (At::Parameters | At::Property, "properties") => At::Properties { begun: false },
            (At::Properties { begun }, _) => {
                let first = !std::mem::replace(begun, true);
                self.add(formula::PROPERTY + if first { formula::PROPERTIES } else { 0 });
                self.heading(key);
                At::Property
            }
            (At::Property, "type") => At::Label,
            (At::Property, "enum") => At::Enum,
            (At::Property, "items") | (At::Parameters | At::Property, "additionalProperties") => At::Property,
            (At::Tool | At::Function | At::Parameters | At::Property, "description") => At::Label,

            (At::Format, "type" | "strict" | "verbosity") => return None,
            (At::Format, "format" | "json_schema") => At::Format,
            (At::Format, "name" | "description") => At::Text,
            (At::Format, "schema") => {
                self.add(formula::SCHEMA);
                At::Schema
            }
            (At::Schema | At::Parameters | At::Property, _) => {
                self.add(formula::ENTRY);
                self.json(key);
                At::Schema
            }

            (At::Flat(_) | At::Image | At::Detail | At::ToolType | At::Sealed | At::Template, _) => {
                return None;
            }
            (At::Message | At::Content | At::Call | At::Called, _) => At::unknown(key),
            (At::Tool | At::Function | At::Format, _) => At::unknown(key),
            _ => self.entry(key),
        })
    }

    fn item(&mut self, at: &mut At) -> Option<At> {
        Some(match at {
            At::Prompts => At::Prompt,
            At::Prompt | At::Token => At::Token,
            At::Messages => At::Message,
            At::Content => At::Content,
            At::Text | At::Schema => {
                self.add(formula::ITEM);
                *at
            }
            At::Calls => At::Call,
            At::Tools { begun } => {
                if !std::mem::replace(begun, true) {
                    self.add(formula::FUNCTIONS);
                }
                At::Tool
            }
            At::Label => At::Label,
            At::Enum => At::EnumItem,
            At::Params | At::Flat(_) | At::Image | At::Detail | At::ToolType | At::Sealed | At::Template => {
                return None;
            }
            _ => {
                self.add(formula::ITEM);
                At::Unknown
            }
        })
    }

    fn map(&mut self, at: At) {
        match at {
            At::Message => {
                self.add(self.formula.message);
                self.adjust(formula::ROLE);
            }
            At::Call => self.add(formula::CALL),
            At::Tool => self.add(self.formula.function),
            At::EnumItem => self.add(formula::ENUM_ITEM),
            At::BuiltIn => self.add(formula::BUILT_IN),
            At::Flat(price) => self.add(price),
            At::Content => self.image = Image::default(),
            At::Image => self.see(None),
            _ => {}
        }
    }

    fn list(&mut self, at: At) {
        match at {
            At::Prompt => self.prompts = self.prompts.saturating_add(1),
            At::Enum => self.adjust(formula::ENUM),
            At::EnumItem => self.add(formula::ENUM_ITEM),
            At::Flat(price) => self.add(price),
            At::Image => self.see(None),
            _ => {}
        }
    }

    fn null(&mut self, at: At) {
        if let At::EnumItem = at {
            self.add(formula::ENUM_ITEM + 1);
        }
    }

    fn boolean(&mut self, at: At) {
        match at {
            At::EnumItem => self.add(formula::ENUM_ITEM + 1),
            At::Flat(price) => self.add(price),
            At::Image => self.see(None),
            At::Params | At::Detail | At::ToolType | At::Sealed | At::Format | At::Template => {}
            // `additionalProperties`, as a rule.
            At::Property => {}
            _ => self.add(1),
        }
    }

    fn number(&mut self, at: At, number: Number) {
        match at {
            At::Prompt => {
                self.token_array = true;
                self.add(1);
            }
            At::Token => self.add(1),
            At::EnumItem => self.add(formula::ENUM_ITEM.saturating_add(number.tokens())),
            At::Flat(price) => self.add(price),
            At::Image => self.see(None),
            At::Params | At::Detail | At::ToolType | At::Sealed | At::Format | At::Template => {}
            _ => self.add(number.tokens()),
        }
    }

    fn text(&mut self, at: At, text: &str) {
        match at {
            At::Params | At::Format | At::Template => {}
            At::Flat(price) => self.add(price),
            At::Image => self.see(Pixels::of_url(text)),
            At::Detail => {
                self.image.detail = self.image.detail.max(Some(Detail::of(text)));
                if self.image.counted.is_some() {
                    self.see(None);
                }
            }
            At::Heading => self.heading(text),
            At::ToolType => {
                if !matches!(text, "function" | "custom") {
                    self.add(formula::BUILT_IN);
                }
            }
            At::Sealed => self.add(text.len() as u64 / formula::SEALED_BYTES),
            At::Prompts | At::Prompt => {
                self.prompts = self.prompts.saturating_add(1);
                self.text(text);
            }
            At::Suffix => self.suffix = self.measured(text),
            At::Messages | At::Message => {
                self.add(self.formula.message);
                self.adjust(formula::ROLE);
                self.text(text);
            }
            At::Role => {
                self.text(text);
                self.adjust(-formula::ROLE);
            }
            At::Name => {
                self.text(text);
                self.adjust(self.formula.name);
            }
            At::Label => self.label(text),
            At::Schema => self.json(text),
            At::EnumItem => {
                self.add(formula::ENUM_ITEM);
                self.text(text);
            }
            At::Drawn if is_data(text) => self.add(self.largest_image()),
            At::Unknown if is_data(text) => self.add(self.file()),
            _ => self.text(text),
        }
    }
}

impl Tally<'_> {
    /// An entry of a map that is counted as its text.
    fn entry(&mut self, key: &str) -> At {
        self.add(formula::ENTRY);
        self.text(key);
        At::unknown(key)
    }
}
