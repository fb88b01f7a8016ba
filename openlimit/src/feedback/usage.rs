//! `UsageReader`: finds the usage in a reply, and the error that a stream may carry in its place.
//!
//! `scan` walks the bytes, or `values` what a client has parsed. `grammar` says where usage counts,
//! so that the text of a model cannot forge it. Here it is kept.

use std::fmt;

use super::capture::Capture;
use super::grammar::Role;
use super::observation::Observation;
use super::place::Place;
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
    pub(super) tally: Tally,
    /// The same, with those of the present one.
    pub(super) stated: Tally,
    /// True if an event said that the answer is complete.
    has_ended: bool,
    /// True if that event was read to its end.
    pub(super) is_final: bool,
    pub(super) place: Place,
    pub(super) capture: Option<Box<Capture>>,
    failure: Option<Box<Failure>>,
}

/// An error in place of the rest of the answer.
#[derive(Clone)]
struct Failure {
    error: Observation,
    /// What was found before it, however much follows in the same piece.
    tally: Tally,
    is_final: bool,
}

impl UsageReader {
    /// Creates a reader at the start of a reply.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
        self.failure.as_ref().map(|failure| &failure.error)
    }

    /// Returns the usage that was found before the error, or so far, and true if it is final.
    pub(crate) fn usage_before_error(&self) -> (Option<Usage>, bool) {
        match &self.failure {
            Some(failure) => (failure.tally.usage(), failure.is_final),
            None => (self.usage(), self.is_final),
        }
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
        if self.failure.is_none() {
            let (tally, is_final) = (self.tally, self.is_final);
            self.failure = read().map(|error| Box::new(Failure { error, tally, is_final }));
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
    /// text cannot forge usage. A limiter believes such usage up to a bound: see
    /// [`Permit::responded`](crate::Permit::responded).
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
