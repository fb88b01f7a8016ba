//! `MessagesReader`: counts a request by the rules of its places.

use super::fields::FIELDS;
use super::place::Place;
use super::prices::{Claude, MESSAGE, Model, REPLY, TOOL, Tally, built_in};
use super::{blocks, tools};
use crate::pricing::common::{Plain, Total};
use crate::pricing::pixels::Pixels;
use crate::pricing::walk::{Number, ValueReader};
use crate::tokenizer::{Factor, TextCounter};

/// Counts the values that it is shown.
pub(crate) struct MessagesReader<'a> {
    tally: Tally<'a>,
}

impl<'a> MessagesReader<'a> {
    pub(super) fn new(model: Model, (counting, factor): (TextCounter<'a>, Factor)) -> Self {
        let mut tally = Tally::new(counting, factor, Claude::new(model));
        tally.add(REPLY);
        Self { tally }
    }

    pub(super) fn total(&self) -> Total {
        self.tally.total().and(self.tally.prices.tool_prompt())
    }
}

impl ValueReader for MessagesReader<'_> {
    type Place = Place;

    fn field(&mut self, at: &mut Place, key: &str) -> Option<Place> {
        let tally = &mut self.tally;
        match *at {
            Place::Params => FIELDS.field(key),
            Place::Message => blocks::message(key),
            Place::Content => {
                let block = tally.prices.file.begin();
                *at = Place::Block(block);
                blocks::block(block, key)
            }
            Place::Block(block) => blocks::block(block, key),
            Place::Source(block) => blocks::source(block, key),
            Place::Tool => tools::tool(tally, key),
            Place::ToolChoice => tools::choice(key),
            Place::Output => tools::output(key),
            Place::Format => tools::format(tally, key),
            Place::Plain(plain) => Some(plain.field(tally, key).into()),
            Place::Sealed
            | Place::Messages
            | Place::BlockType(_)
            | Place::Data(_)
            | Place::Remote(_)
            | Place::Tools
            | Place::ToolType
            | Place::Choice => Some(Plain::UNKNOWN.field(tally, key).into()),
        }
    }

    fn item(&mut self, at: &mut Place) -> Option<Place> {
        Some(match *at {
            Place::Messages => Place::Message,
            Place::Content => Place::Content,
            Place::Tools => {
                self.tally.prices.has_tools = true;
                Place::Tool
            }
            Place::Plain(plain) => plain.item(&mut self.tally).into(),
            _ => Plain::UNKNOWN.item(&mut self.tally).into(),
        })
    }

    fn map(&mut self, at: Place) {
        match at {
            Place::Message => self.tally.add(MESSAGE),
            Place::Tool => self.tally.add(TOOL),
            _ => {}
        }
    }

    fn list(&mut self, _: Place) {}

    fn null(&mut self, _: Place) {}

    fn boolean(&mut self, at: Place) {
        plain(at).boolean(&mut self.tally);
    }

    fn number(&mut self, at: Place, number: Number) {
        plain(at).number(&mut self.tally, number);
    }

    fn text(&mut self, at: Place, text: &str) {
        let tally = &mut self.tally;
        match at {
            Place::BlockType(block) if text == "image" => tally.is_image(block),
            Place::Data(block) => blocks::data(tally, block, text),
            Place::Remote(block) => tally.source(block, Pixels::of_url(text)),
            Place::ToolType if text == "custom" => {}
            Place::ToolType => tally.add(built_in(text)),
            Place::Choice => tally.prices.must_call = matches!(text, "any" | "tool"),
            Place::BlockType(_) => {}
            Place::Sealed => tally.sealed(text),
            // The text is all there is of a message.
            Place::Message => {
                tally.add(MESSAGE);
                tally.text(text);
            }
            _ => plain(at).text(tally, text),
        }
    }
}

/// Returns how a value counts where no rule expects it.
fn plain(at: Place) -> Plain {
    match at {
        Place::Plain(plain) => plain,
        Place::Content | Place::Source(_) => Plain::Text,
        _ => Plain::UNKNOWN,
    }
}
