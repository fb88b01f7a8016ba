//! `GenerateContentReader`: counts a request by the rules of its places.

use super::fields::{self, FIELDS, TOOLS};
use super::media::{RESOLUTIONS, Type};
use super::place::Place;
use super::prices::{CONTENT, Gemini, Tally};
use crate::pricing::common::{CAMEL, Plain, Total, camel_case};
use crate::pricing::pixels::Pixels;
use crate::pricing::walk::{Number, ValueReader};
use crate::tokenizer::{Factor, TextCounter};

/// Counts the values that it is shown.
pub(crate) struct GenerateContentReader<'a> {
    tally: Tally<'a>,
}

impl<'a> GenerateContentReader<'a> {
    pub(super) fn new(prices: Gemini, (counting, factor): (TextCounter<'a>, Factor)) -> Self {
        Self { tally: Tally::new(counting, factor, prices) }
    }

    pub(super) fn total(&self) -> Total {
        self.tally.total()
    }
}

impl ValueReader for GenerateContentReader<'_> {
    type Place = Place;

    fn field(&mut self, at: &mut Place, key: &str) -> Option<Place> {
        let tally = &mut self.tally;
        let mut buffer = [0; CAMEL];
        let name = camel_case(key, &mut buffer);
        match *at {
            Place::Params => FIELDS.field(key),
            Place::Contents | Place::Content => fields::content(name),
            Place::Parts => {
                let part = tally.prices.file.begin();
                *at = Place::Part(part);
                fields::part(part, name)
            }
            Place::Part(part) => fields::part(part, name),
            Place::Blob(part) => fields::blob(part, name),
            Place::Resolution(part) => fields::resolution(part, name),
            Place::Video(part) => Some(fields::video(part, name)),
            Place::Call => fields::call(name),
            Place::Response => fields::response(name),
            Place::Tools | Place::Tool if name == "functionDeclarations" => Some(Place::Functions),
            Place::Tools | Place::Tool if TOOLS.contains(&name) => {
                Some(Plain::Value.field(tally, name).into())
            }
            Place::Functions | Place::Function if name == "behavior" => None,
            Place::Functions | Place::Function => Some(Plain::Json.field(tally, key).into()),
            Place::Generation => fields::generation(name),
            Place::Plain(plain) => Some(plain.field(tally, key).into()),
            Place::Tools
            | Place::Tool
            | Place::Sealed
            | Place::MimeType(_)
            | Place::Data(_)
            | Place::Uri(_)
            | Place::Start(_)
            | Place::End(_)
            | Place::Frames(_) => Some(Plain::UNKNOWN.field(tally, key).into()),
        }
    }

    fn item(&mut self, at: &mut Place) -> Option<Place> {
        Some(match *at {
            Place::Contents => Place::Content,
            Place::Parts => Place::Parts,
            Place::Tools => Place::Tool,
            Place::Functions => {
                self.tally.item();
                Place::Function
            }
            Place::Plain(plain) => plain.item(&mut self.tally).into(),
            _ => Plain::UNKNOWN.item(&mut self.tally).into(),
        })
    }

    fn map(&mut self, at: Place) {
        if let Place::Content = at {
            self.tally.add(CONTENT);
        }
    }

    fn list(&mut self, _: Place) {}

    fn null(&mut self, _: Place) {}

    fn boolean(&mut self, at: Place) {
        plain(at).boolean(&mut self.tally);
    }

    fn number(&mut self, at: Place, number: Number) {
        match at {
            Place::Frames(part) => self.tally.learn(part, |media| {
                // Less than one frame a second counts as one.
                media.frames = match number {
                    Number::Whole(frames) => u64::try_from(frames).ok(),
                    Number::Fraction(frames) => Some(frames.ceil() as u64),
                    Number::Negative(_) => None,
                };
            }),
            _ => plain(at).number(&mut self.tally, number),
        }
    }

    fn text(&mut self, at: Place, text: &str) {
        let tally = &mut self.tally;
        match at {
            Place::MimeType(part) => tally.learn(part, |media| media.kind = Type::of(text)),
            Place::Data(part) => tally.learn(part, |media| {
                media.is_there = true;
                media.size = Pixels::of_base64(text);
                media.base64 = Some(text.len() as u64);
            }),
            Place::Uri(part) => tally.learn(part, |media| media.is_there = true),
            Place::Resolution(part) => {
                let level = RESOLUTIONS.iter().position(|name| name.eq_ignore_ascii_case(text));
                tally.learn(part, |media| media.level = level.or(media.level));
            }
            Place::Start(part) => tally.learn(part, |media| media.start = seconds(text).unwrap_or(0)),
            Place::End(part) => tally.learn(part, |media| media.end = seconds(text)),
            Place::Sealed => tally.sealed(text),
            Place::Content => {
                tally.add(CONTENT);
                tally.text(text);
            }
            _ => plain(at).text(tally, text),
        }
    }
}

/// Returns the whole seconds of a duration such as `40s` or `1.5s`.
fn seconds(text: &str) -> Option<u64> {
    text.strip_suffix('s')?.split('.').next()?.parse().ok()
}

/// Returns how a value counts where no rule expects it.
fn plain(at: Place) -> Plain {
    match at {
        Place::Plain(plain) => plain,
        Place::Parts => Plain::Text,
        Place::Functions | Place::Function => Plain::Json,
        _ => Plain::UNKNOWN,
    }
}
