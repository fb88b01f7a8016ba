//! `UsageReader`: finds usage in the bytes of a reply, in constant memory.
//!
//! It is an automaton over the bytes of JSON, and takes them in pieces of any size. So it serves
//! whole bodies as well as streams, whatever frames them: JSON, server-sent events, lines of JSON,
//! and the payloads of AWS's event streams. It builds no value, because one event of a stream may
//! be megabytes long.
//!
//! A model must not be able to forge usage. Its text is in strings, where nothing is read. But the
//! arguments of a tool call can be objects. So usage counts only where servers put it: at the top,
//! or directly in one of `PARENTS` at the top.
//!
//! A stream may break off and go on with the next event. Bytes that JSON cannot have where they
//! are, such as the `d` of `data:` between values, or a line's end in a string, start it over.

use std::fmt;

use super::tally::Tally;
use crate::limits::Usage;

/// Objects at the top that have usage in them: of the Responses API, of Anthropic's
/// `message_start`, and of Groq's chunks.
const PARENTS: [&[u8]; 3] = [b"response", b"message", b"x_groq"];

/// Keys of usage objects: of nearly all, of Gemini, and of Bedrock's last chunk.
const USAGE: [&[u8]; 3] = [b"usage", b"usageMetadata", BEDROCK];

const BEDROCK: &[u8] = b"amazon-bedrock-invocationMetrics";

/// Ollama's numbers, which are at the top.
const AT_THE_TOP: [&[u8]; 2] = [b"prompt_eval_count", b"eval_count"];

/// Finds the usage in the bytes of a reply, piece by piece: for streams, and for bodies that should
/// not be collected.
///
/// The size of the pieces makes no difference. It takes 224 bytes, never allocates while it reads,
/// and never fails. [`Usage::from_json`] says what it finds.
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
    tally: Tally,
    place: Place,
}

/// A position in JSON.
#[derive(Clone, Default)]
struct Place {
    /// The number of open objects and lists, without a list around everything (Gemini).
    depth: u32,
    in_outer_list: bool,
    /// The meaning of the open object at depth 2, and at depth 3.
    opened: [Role; 2],
    text: Text,
    /// The last string, until it is known whether it is a key.
    word: Word,
    /// The key of the value that comes next.
    key: Word,
    number: Number,
}

/// The meaning of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Role {
    #[default]
    Other,
    /// Usage may be directly in it.
    Parent,
    Usage,
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

/// A string, if it can be one of the keys that count.
#[derive(Clone, Copy)]
struct Word {
    bytes: [u8; Self::LONGEST],
    /// Above `LONGEST` for a string that cannot be a key.
    length: u8,
}

/// A number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Number {
    #[default]
    None,
    Count(u64),
    /// Negative, a fraction, too large, or not a number at all.
    Other,
}

impl UsageReader {
    /// Creates a reader at the start of a reply.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match self.place.text {
                Text::Outside => self.outside(*byte),
                Text::Inside => self.inside(*byte),
                Text::Escaped if *byte < b' ' => self.place = Place::default(),
                Text::Escaped => self.place.text = Text::Inside,
            }
        }
    }

    /// Returns the usage that was found so far; `None` if there was none.
    ///
    /// In a stream, it is not final before the last event. Anthropic states the input first and the
    /// output last.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.tally.usage()
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
            0..b' ' => *place = Place::default(),
            _ => place.word.push(byte),
        }
    }

    fn outside(&mut self, byte: u8) {
        let place = &mut self.place;
        match byte {
            b'"' => {
                place.text = Text::Inside;
                place.word = Word::EMPTY;
            }
            b':' => {
                place.key = std::mem::replace(&mut place.word, Word::EMPTY);
                place.number = Number::None;
            }
            b'0'..=b'9' => place.number = place.number.push(byte),
            b'{' | b'[' => self.open(byte == b'['),
            b'}' | b']' => {
                self.end_value();
                self.close();
            }
            b',' => self.end_value(),
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'-' | b'+' | b'.' | b'E' => place.number = Number::Other,
            // The letters of true, false, null, and of exponents.
            b't' | b'r' | b'u' | b'e' | b'f' | b'a' | b'l' | b's' | b'n' => place.number = Number::Other,
            _ => *place = Place::default(),
        }
    }

    /// Reads the number behind the last key, if it counts.
    fn end_value(&mut self) {
        let place = &mut self.place;
        let number = std::mem::take(&mut place.number);
        let key = std::mem::replace(&mut place.key, Word::EMPTY);
        let Number::Count(count) = number else { return };
        let counts = place.is_in_usage() || (place.depth == 1 && key.is_one_of(&AT_THE_TOP));
        if let Some(known) = self.tally.number(key.as_bytes()).filter(|_| counts) {
            *known = Some(count);
        }
    }

    fn open(&mut self, is_list: bool) {
        let place = &mut self.place;
        if is_list && place.depth == 0 && !place.in_outer_list {
            place.in_outer_list = true;
            return;
        }
        let key = std::mem::replace(&mut place.key, Word::EMPTY);
        let role = match place.depth {
            _ if is_list => Role::Other,
            1 if key.is_one_of(&USAGE) => Role::Usage,
            1 if key.is_one_of(&PARENTS) => Role::Parent,
            2 if place.opened[0] == Role::Parent && key.is_one_of(&USAGE) => Role::Usage,
            _ => Role::Other,
        };
        if let Some(opened) = (place.depth as usize).checked_sub(1).and_then(|at| place.opened.get_mut(at)) {
            *opened = role;
        }
        place.depth = place.depth.saturating_add(1);
        place.number = Number::None;
    }

    fn close(&mut self) {
        let place = &mut self.place;
        if place.depth == 0 {
            place.in_outer_list = false;
        }
        place.depth = place.depth.saturating_sub(1);
    }
}

impl Place {
    /// Returns whether the position is directly in a usage object.
    fn is_in_usage(&self) -> bool {
        match self.depth {
            2 => self.opened[0] == Role::Usage,
            3 => self.opened[0] == Role::Parent && self.opened[1] == Role::Usage,
            _ => false,
        }
    }
}

impl Word {
    const LONGEST: usize = 32;
    const EMPTY: Self = Self { bytes: [0; Self::LONGEST], length: 0 };

    #[inline]
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(usize::from(self.length)) {
            *place = byte;
            self.length += 1;
        } else {
            self.spoil();
        }
    }

    fn spoil(&mut self) {
        self.length = u8::MAX;
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    fn is_one_of(&self, words: &[&[u8]]) -> bool {
        words.contains(&self.as_bytes())
    }
}

impl Default for Word {
    fn default() -> Self {
        Self::EMPTY
    }
}

// The buffer holds every key that counts.
const _: () = assert!(Tally::LONGEST_KEY <= Word::LONGEST && BEDROCK.len() <= Word::LONGEST);

impl Number {
    fn push(self, digit: u8) -> Self {
        let count = match self {
            Self::None => 0,
            Self::Count(count) => count,
            Self::Other => return Self::Other,
        };
        let next = count.checked_mul(10).and_then(|count| count.checked_add(u64::from(digit - b'0')));
        next.map_or(Self::Other, Self::Count)
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
    /// Anthropic or Bedrock served from a cache are left out, because their limits do not count
    /// them. In a stream, the last value of each number counts.
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
