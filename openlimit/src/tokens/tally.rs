//! `Tally`: what has been counted so far of a request's input.
//!
//! Texts are kept apart from the rest, since some providers judge them by their characters.

use super::formula::{self, Formula};
use super::images::{Detail, Image, Images};
use super::outline::Outline;
use super::pixels::Pixels;
use super::prompt::Prompt;
use super::shape::Shape;
use super::tokenizer::Counting;

/// What has been counted so far.
pub(super) struct Tally<'a> {
    pub(super) shape: &'a Shape,
    counting: Counting<'a>,
    pub(super) formula: &'static Formula,
    images: &'static Images,
    /// The image that is being read, if any.
    pub(super) image: Image,
    texts: Text,
    /// The tokens of what is no text.
    rest: u64,
    /// What follows each prompt.
    pub(super) suffix: Text,
    /// Prompts that are texts or lists, and whether there is one that is a bare token array.
    pub(super) prompts: u64,
    pub(super) token_array: bool,
}

impl<'a> Tally<'a> {
    pub(super) fn new(shape: &'a Shape, outline: &Outline, counting: Counting<'a>) -> Self {
        Self {
            shape,
            counting,
            formula: outline.formula,
            images: outline.images,
            image: Image::default(),
            texts: Text::default(),
            rest: if shape.framed { outline.formula.reply } else { 0 },
            suffix: Text::default(),
            prompts: 0,
            token_array: false,
        }
    }

    pub(super) fn sum(&self) -> Prompt {
        let prompts = self.prompts.saturating_add(self.token_array.into()).max(1);
        let texts = self.texts.and(self.suffix.times(prompts));
        Prompt {
            tokens: texts.tokens.saturating_add(self.rest),
            estimate: texts.characters.div_ceil(4).saturating_add(self.rest),
            prompts,
        }
    }

    pub(super) fn add(&mut self, tokens: u64) {
        self.rest = self.rest.saturating_add(tokens);
    }

    pub(super) fn adjust(&mut self, tokens: i64) {
        self.rest = self.rest.saturating_add_signed(tokens);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.texts = self.texts.and(self.measured(text));
    }

    /// A text as JSON writes it; its quotes are in the price of what it stands in.
    pub(super) fn json(&mut self, text: &str) {
        if !text.contains(|c: char| c == '"' || c == '\\' || c.is_ascii_control()) {
            return self.text(text);
        }
        let mut json = String::with_capacity(text.len() + text.len() / 8);
        for character in text.chars() {
            match character {
                '"' | '\\' => json.extend(['\\', character]),
                '\n' => json.push_str("\\n"),
                '\r' => json.push_str("\\r"),
                '\t' => json.push_str("\\t"),
                '\u{8}' => json.push_str("\\b"),
                '\u{c}' => json.push_str("\\f"),
                '\0'..' ' => json.extend(format!("\\u{:04x}", u32::from(character)).chars()),
                _ => json.push(character),
            }
        }
        self.text(&json);
        self.add(formula::ESCAPED);
    }

    pub(super) fn measured(&self, text: &str) -> Text {
        Text::of(text, self.counting.count(text))
    }

    /// What follows a colon: the cookbook counts both in one, and no point at its end.
    pub(super) fn label(&mut self, text: &str) {
        let label = text.strip_suffix('.').unwrap_or(text);
        self.texts = self.texts.and(Text::of(label, self.counting.count_after_colon(label)));
    }

    /// A name before a colon. Where it ends in an underscore, the colon is taken to that, and shares no token with what
    /// follows; and so it may be with every character that is not plainly a letter or a digit.
    pub(super) fn heading(&mut self, name: &str) {
        self.text(name);
        self.add((!name.ends_with(|last: char| last.is_ascii_alphanumeric())).into());
    }

    /// What is known of the image that is being read has changed, or it has begun.
    pub(super) fn see(&mut self, size: Option<Pixels>) {
        self.image.size = size.or(self.image.size);
        let tokens = self.images.tokens(self.image.size, self.image.detail.unwrap_or(Detail::Full));
        self.rest = self.rest.saturating_sub(self.image.counted.replace(tokens).unwrap_or(0));
        self.add(tokens);
    }

    /// A file is a page, of which the model gets the text and an image.
    pub(super) fn file(&self) -> u64 {
        formula::PAGE + self.largest_image()
    }

    pub(super) fn largest_image(&self) -> u64 {
        self.images.tokens(None, Detail::Full)
    }
}

/// How long texts are, in two ways.
#[derive(Clone, Copy, Default)]
pub(super) struct Text {
    tokens: u64,
    characters: u64,
}

impl Text {
    fn of(text: &str, tokens: u64) -> Self {
        Self { tokens, characters: text.chars().count() as u64 }
    }

    fn and(self, more: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(more.tokens),
            characters: self.characters.saturating_add(more.characters),
        }
    }

    fn times(self, number: u64) -> Self {
        Self {
            tokens: self.tokens.saturating_mul(number),
            characters: self.characters.saturating_mul(number),
        }
    }
}

/// Whether what stands in an unknown field is no text but bytes: base64, in a data URL or of some length.
pub(super) fn is_data(text: &str) -> bool {
    const LONG: usize = 1024;
    const END: &str = ";base64";
    match text.split_once(',') {
        Some((header, body)) => {
            let scheme = header.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
            let end = header.len().checked_sub(END.len()).and_then(|at| header.get(at..));
            scheme && end.is_some_and(|end| end.eq_ignore_ascii_case(END)) && is_base64(body)
        }
        None => text.len() >= LONG && is_base64(text) && is_mixed(text),
    }
}

/// Whether all of it can be base64: in one line, or in lines of one length, as mail and PEM have them.
fn is_base64(text: &str) -> bool {
    const LINE: std::ops::RangeInclusive<usize> = 60..=76;
    let text = text.trim_ascii_end().trim_end_matches('=');
    let length = text.lines().next().map_or(0, str::len);
    let mut lines = text.lines().rev();
    lines.next().is_none_or(|last| last.len() <= length && is_line(last))
        && lines.all(|line| line.len() == length && LINE.contains(&length) && is_line(line))
}

fn is_line(line: &str) -> bool {
    line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte))
}

/// A long one has letters of both cases and digits. Numbers, hashes and most words have not.
fn is_mixed(text: &str) -> bool {
    let has = |class: fn(&u8) -> bool| text.as_bytes().iter().any(class);
    has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
}
