//! `UsageReader`: finds usage in the bytes of a reply, in constant memory.
//!
//! It is an automaton over the bytes of JSON, and takes them in pieces of any size. So it serves
//! whole bodies as well as streams, whatever frames them: JSON, server-sent events, lines of JSON,
//! and the payloads of AWS's event streams. It builds no value, because one event of a stream may
//! be megabytes long.
//!
//! `grammar` says where usage counts, so that the text of a model cannot forge it.
//!
//! A stream may break off and go on with the next event. Bytes that JSON cannot have where they
//! are, such as the `d` of `data:` between values, or a line's end in a string, start it over.

use std::fmt;

use super::capture::Capture;
use super::grammar::Role;
use super::lexeme::{Number, Word};
use super::observation::Observation;
use super::tally::Tally;
use crate::limits::Usage;

/// Finds the usage in the bytes of a reply, piece by piece: for streams, and for bodies that should
/// not be collected.
///
/// The size of the pieces makes no difference. It takes constant memory however long an event is,
/// never allocates unless the stream carries an error, and never fails. [`Usage::from_json`] says
/// what it finds.
///
/// ```
/// use openlimit::Usage;
/// use openlimit::feedback::UsageReader;
///
/// let mut reader = UsageReader::new();
/// reader.feed(br#"data: {"choices": [], "usage": {"prompt_to"#);
/// assert_eq!(reader.usage(), None);
/// reader.feed(br#"kens": 120, "completion_tokens": 380}}"#);
/// assert_eq!(reader.usage(), Some(Usage::new(120, 380)));
/// ```
#[derive(Clone, Default)]
pub struct UsageReader {
    /// The numbers of usage objects that were read to their ends.
    tally: Tally,
    /// The same, with those of the present one.
    stated: Tally,
    /// True if an event said that the answer is complete.
    has_ended: bool,
    /// True if that event was read to its end.
    is_final: bool,
    place: Place,
    capture: Option<Box<Capture>>,
    error: Option<Box<Observation>>,
}

/// A position in JSON.
#[derive(Clone, Default)]
struct Place {
    /// The number of open objects and lists, without a list around everything (Gemini).
    depth: u32,
    in_outer_list: bool,
    /// The meaning of the open objects at depth 2, 3 and 4.
    opened: [Role; 3],
    text: Text,
    /// The last string, until it is known whether it is a key.
    word: Word,
    /// The key of the value that comes next.
    key: Word,
    number: Number,
}

/// True if the position is in a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Text {
    #[default]
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

impl UsageReader {
    /// Creates a reader at the start of a reply.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

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

    /// Returns the usage that was found so far; `None` if there was none.
    ///
    /// In a stream, it may not be final: see [`is_final`](Self::is_final). A number counts once the
    /// object that it is in has ended.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.tally.usage()
    }

    /// Returns true if the answer is complete, so that the usage is final.
    ///
    /// Before that, the input is known at most: some servers state the output so far with each
    /// event. OpenAI states the usage in one more event after the answer, so it can still be
    /// `None`. A reply that does not say when it is complete, such as that of embeddings, is not
    /// final until it ends.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.is_final
    }

    /// Returns the error that the stream carries in place of the rest of the answer; `None` if
    /// there is none.
    ///
    /// A provider that fails in the middle of a stream has already answered with status 200. So it
    /// sends an event such as Anthropic's `overloaded_error`. Of its text, 4 KiB are read.
    #[must_use]
    pub fn error(&self) -> Option<&Observation> {
        self.error.as_deref()
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
                place.key = std::mem::replace(&mut place.word, Word::EMPTY);
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
        let number = std::mem::take(&mut place.number);
        let key = std::mem::replace(&mut place.key, Word::EMPTY);
        let text = std::mem::replace(&mut place.word, Word::EMPTY);
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
        let key = std::mem::replace(&mut place.key, Word::EMPTY);
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

    /// Reads the start of an object of this role, under a key.
    pub(super) fn object(&mut self, role: Role, key: &[u8]) {
        self.has_ended |= role.ends_by_object(key);
    }

    /// Reads a number of a key in an object of this role.
    pub(super) fn number(&mut self, role: Role, key: &[u8], number: u64) {
        if role.counts(key)
            && let Some(known) = self.stated.number(key)
        {
            *known = Some(number);
            self.has_ended |= role.ends_by_count(key);
        }
    }

    /// Reads a text of a key in an object of this role.
    pub(super) fn text(&mut self, role: Role, key: &[u8], text: &[u8]) {
        self.has_ended |= role.ends_by_text(key, text);
    }

    /// Ends a whole reply, or one event of a stream.
    pub(super) fn end_event(&mut self) {
        self.tally = self.stated;
        self.is_final |= self.has_ended;
    }

    /// Notes an error. The first one counts.
    pub(super) fn note_error(&mut self, read: impl FnOnce() -> Option<Observation>) {
        if self.error.is_none() {
            self.error = read().map(Box::new);
        }
    }

    /// Starts over after bytes that are no JSON. A broken event says nothing.
    #[cold]
    fn start_over(&mut self) {
        self.place = Place::default();
        self.stated = self.tally;
        self.capture = None;
    }
}

impl Place {
    /// Returns the meaning of the object or list that the position is directly in.
    fn role(&self) -> Role {
        match self.depth {
            1 => Role::Top,
            2 => self.opened[0],
            3 => self.opened[1],
            4 => self.opened[2],
            _ => Role::Other,
        }
    }
}

/// Shows what was found, never the text that was read.
impl fmt::Debug for UsageReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsageReader").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

impl Usage {
    /// Reads what a reply says about its usage, from its body; `None` if there is nothing.
    ///
    /// It knows the replies of OpenAI (chat, completions, embeddings, Responses) and of all that
    /// imitate them, of Anthropic, Gemini, Bedrock and Ollama, and their streams. It names
    /// `input_tokens`, `output_tokens` and `tokens`, as far as they are known. Input tokens that
    /// Anthropic or Bedrock served from a cache are not among them, because their limits do not
    /// count those. What a cache served or stored is known for the price: see [`Usage`]. In a
    /// stream, the last value of each number counts.
    ///
    /// It takes linear time, allocates nothing, and ignores what it does not know. A model's own
    /// text cannot forge usage.
    ///
    /// ```
    /// use openlimit::Usage;
    ///
    /// let body = br#"{"choices": [], "usage": {"prompt_tokens": 120, "completion_tokens": 380}}"#;
    /// assert_eq!(Usage::from_json(body), Some(Usage::new(120, 380)));
    /// assert_eq!(Usage::from_json(b"not JSON"), None);
    /// ```
    #[must_use]
    pub fn from_json(body: &[u8]) -> Option<Self> {
        let mut reader = UsageReader::new();
        reader.feed(body);
        reader.usage()
    }
}
