//! Walks the bytes of a reply, in constant memory.
//!
//! It is an automaton over the bytes of JSON, and takes them in pieces of any size. So it serves
//! whole bodies as well as streams, whatever frames them: JSON, server-sent events, lines of JSON,
//! and the payloads of AWS's event streams. It builds no value, because one event of a stream may
//! be megabytes long.
//!
//! A stream may break off and go on with the next event. Bytes that JSON cannot have where they
//! are, such as the `d` of `data:` between values, or a line's end in a string, start it over.

use std::mem;

use super::capture::Capture;
use super::grammar::Role;
use super::lexeme::{Number, Word};
use super::place::{Place, Text};
use super::usage::UsageReader;

impl UsageReader {
    /// Reads the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        for (at, byte) in bytes.iter().enumerate() {
            match self.place.text {
                Text::Outside => self.outside(*byte, bytes, at),
                Text::Inside => self.inside(*byte),
                Text::Escaped if *byte < b' ' => self.start_over(),
                Text::Escaped => self.place.text = Text::Inside,
            }
        }
        if let Some(capture) = &mut self.capture {
            capture.keep(bytes);
        }
    }

    #[inline]
    fn inside(&mut self, byte: u8) {
        let place = &mut self.place;
        match byte {
            b'"' => place.text = Text::Outside,
            b'\\' => {
                place.text = Text::Escaped;
                place.word.spoil();
            }
            0..b' ' => self.start_over(),
            _ => place.word.push(byte),
        }
    }

    /// Reads a byte outside of strings, which is at this place of a piece.
    fn outside(&mut self, byte: u8, piece: &[u8], at: usize) {
        let place = &mut self.place;
        match byte {
            b'"' => {
                place.text = Text::Inside;
                place.word = Word::EMPTY;
                self.start_capture(at);
            }
            b':' => {
                place.key = mem::replace(&mut place.word, Word::EMPTY);
                place.number = Number::None;
            }
            b'0'..=b'9' => place.number = place.number.push(byte),
            b'{' => {
                self.start_capture(at);
                self.open(false);
            }
            b'[' => self.open(true),
            b'}' | b']' => {
                self.end_value(at);
                self.end_capture(piece, at, true);
                self.close();
            }
            b',' => {
                self.end_capture(piece, at, false);
                self.end_value(at);
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'-' | b'+' | b'.' | b'E' => place.number = Number::Other,
            // The letters of true, false, null, and of exponents.
            b't' | b'r' | b'u' | b'e' | b'f' | b'a' | b'l' | b's' | b'n' => place.number = Number::Other,
            _ => {
                // OpenAI ends its streams with `[DONE]`.
                self.is_final |= byte == b'D' && place.depth == 0 && place.in_outer_list;
                self.start_over();
            }
        }
    }

    /// Reads the number or the text behind the last key, if it counts.
    fn end_value(&mut self, at: usize) {
        let place = &mut self.place;
        let number = mem::take(&mut place.number);
        let key = mem::replace(&mut place.key, Word::EMPTY);
        let text = mem::replace(&mut place.word, Word::EMPTY);
        let (depth, role) = (place.depth, place.role());
        let (key, text) = (key.as_bytes(), text.as_bytes());
        if let Number::Count(count) = number {
            self.number(role, key, count);
        }
        self.text(role, key, text);
        if role.is_error_event(key, text) && self.capture.is_none() {
            self.capture = Some(Box::new(Capture::new(depth, true, at)));
        }
    }

    /// Begins to keep an error, if the text or object that begins here is one. Most errors are a
    /// null, which is none.
    fn start_capture(&mut self, at: usize) {
        let Place { depth, key, .. } = &self.place;
        if self.place.role().is_error(key.as_bytes()) && self.capture.is_none() {
            self.capture = Some(Box::new(Capture::new(*depth, false, at)));
        }
    }

    /// Reads an error that ends here.
    fn end_capture(&mut self, piece: &[u8], at: usize, closes: bool) {
        let depth = self.place.depth;
        let ends = |capture: &mut Box<Capture>| capture.depth == depth && (closes || !capture.is_rest);
        if let Some(capture) = self.capture.take_if(ends) {
            self.note_error(|| capture.read(&piece[..at]));
        }
    }

    fn open(&mut self, is_list: bool) {
        let place = &mut self.place;
        if is_list && place.depth == 0 && !place.in_outer_list {
            place.in_outer_list = true;
            return;
        }
        let key = mem::replace(&mut place.key, Word::EMPTY);
        let role = place.role().of(key.as_bytes(), is_list);
        if let Some(opened) = (place.depth as usize).checked_sub(1).and_then(|at| place.opened.get_mut(at)) {
            *opened = role;
        }
        place.depth = place.depth.saturating_add(1);
        place.number = Number::None;
        self.object(role, key.as_bytes());
    }

    fn close(&mut self) {
        let place = &mut self.place;
        match place.depth {
            0 => place.in_outer_list = false,
            1 => self.end_event(),
            _ if place.role() == Role::Usage => self.tally = self.stated,
            _ => {}
        }
        self.place.depth = self.place.depth.saturating_sub(1);
    }

    /// Starts over after bytes that are no JSON. A broken event says nothing.
    #[cold]
    fn start_over(&mut self) {
        self.place = Place::default();
        self.stated = self.tally;
        self.capture = None;
    }
}
