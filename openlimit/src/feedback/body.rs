//! The body of a refusal: what it says about the reason, the limits and the wait.
//!
//! Every provider has a shape of its own, but all use the same keys for the same things. So the
//! keys are read wherever they are. What is not JSON is read as one sentence.

use std::time::Duration;

use super::date::Moment;
use super::denial::{Denial, DenialKind, Violation};
use super::json::{Scalar, scalars};
use super::{sentence, words};
use crate::limits::duration;

/// The start of a body that is read. No provider's error is longer than a few KiB.
const MOST_BODY: usize = 64 * 1024;

/// The start of a sentence that is read. It is searched for each phrase.
const MOST_SENTENCE: usize = 4 * 1024;

/// The most sentences of one body that are searched.
const MOST_SENTENCES: usize = 8;

/// The most violations that are kept. Gemini names up to four.
const MOST_VIOLATIONS: usize = 16;

/// A day, in seconds. Quotas of at least that long are not worth waiting for.
const DAY: u64 = 86_400;

/// The contents of a refusal's body.
#[derive(Clone, Debug, Default)]
pub(super) struct ErrorBody {
    kind: Option<DenialKind>,
    /// The body may say that a quota is used up.
    may_be_exhausted: bool,
    /// The body may say that the request is too large.
    may_be_too_large: bool,
    violations: Vec<Violation>,
    /// Gemini: the violations come from a list, which is more exact than the sentence.
    has_list: bool,
    /// The wait in a sentence.
    wait: Option<Moment>,
    /// Gemini: the wait in `RetryInfo`. It is cut to whole seconds, and the sentence's is not.
    delay: Option<Moment>,
    /// The HTTP status, as the body repeats it.
    status: Option<u16>,
    sentences: usize,
}

impl ErrorBody {
    pub(super) fn read(body: &[u8]) -> Self {
        let body = body.get(..MOST_BODY).unwrap_or(body).trim_ascii();
        let mut read = Self::default();
        scalars(body).for_each(|(key, value)| read.value(key, value));
        if read.sentences == 0 {
            read.sentence(body);
        }
        read
    }

    /// Reads the message of an error: a text, and the body behind it, which may be that of any
    /// reply.
    pub(super) fn of_message(text: &[u8], json: &[u8]) -> Self {
        let mut read = Self::default();
        read.sentence(text);
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        text.split(|byte| !is_part(byte)).for_each(|word| read.read_code(word));
        scalars(json).for_each(|(key, value)| read.value(key, value));
        read
    }

    /// Reads a code or a type, which are exact.
    pub(super) fn read_code(&mut self, code: &[u8]) {
        self.kind = words::stricter(self.kind, words::kind_of_code(code));
    }

    pub(super) fn value(&mut self, key: &[u8], value: Scalar<'_>) {
        match (key, value) {
            // `raw` has the error of the provider behind OpenRouter.
            (b"message" | b"Message" | b"detail" | b"raw" | b"error", Scalar::Text(text)) => {
                self.sentence(text);
            }
            (b"quotaId", Scalar::Text(id)) => self.quota(id),
            (b"quotaValue", value) => {
                if let Some(last) = self.violations.last_mut().filter(|_| self.has_list) {
                    last.limit = duration::count(value.bytes()).filter(|limit| *limit > 0);
                }
            }
            (b"retryDelay", Scalar::Text(delay)) => {
                self.delay = duration::with_units(delay).map(Moment::In).or(self.delay);
            }
            (
                b"code" | b"type" | b"status" | b"__type" | b"error_code" | b"provider_code",
                Scalar::Text(code),
            ) => self.read_code(code),
            (b"code" | b"status" | b"statusCode", Scalar::Number(status)) => {
                let status = duration::count(status).and_then(|status| u16::try_from(status).ok());
                self.status = self.status.or(status.filter(|status| (400..600).contains(status)));
            }
            _ => {}
        }
    }

    fn sentence(&mut self, text: &[u8]) {
        self.sentences += 1;
        if self.sentences > MOST_SENTENCES {
            return;
        }
        let text = text.get(..MOST_SENTENCE).unwrap_or(text);
        self.kind = words::stricter(self.kind, words::kind_of_sentence(text));
        self.may_be_exhausted |= words::may_be_exhausted(text);
        self.may_be_too_large |= words::may_be_too_large(text);
        self.wait = self.wait.or_else(|| sentence::wait(text));
        if self.violations.is_empty() {
            self.violations.extend(sentence::violation(text));
        }
    }

    /// Reads the name of a quota of Gemini, which says what it counts and over which time.
    fn quota(&mut self, id: &[u8]) {
        if !std::mem::replace(&mut self.has_list, true) {
            self.violations.clear();
        }
        if self.violations.len() < MOST_VIOLATIONS {
            let id = id.get(..MOST_SENTENCE).unwrap_or(id);
            let (dimension, window) = sentence::dimension_and_window(id);
            self.violations.push(Violation { dimension, window, ..Violation::default() });
        }
    }

    /// Returns the wait that the body states.
    pub(super) fn wait(&self) -> Option<Moment> {
        // Gemini's is that of a limit per minute, even if a daily quota is used up.
        self.wait.or(self.delay).filter(|_| !(self.has_list && self.is_daily()))
    }

    /// Returns the reason for a response with this status; 0 if it is not known. `code` is an error
    /// type from a header, and `has_wait` says whether headers state a wait.
    pub(super) fn judge(&self, status: u16, code: Option<DenialKind>, has_wait: bool) -> Denial {
        let status = if status == 0 { self.status.unwrap_or(0) } else { status };
        let has_wait = has_wait || self.wait().is_some();
        let said = words::stricter(self.kind, code);
        let implied = match status {
            402 => Some(DenialKind::Exhausted),
            413 => Some(DenialKind::TooLarge),
            400 | 422 if self.may_be_too_large => Some(DenialKind::TooLarge),
            429 => Some(DenialKind::RateLimited),
            498 | 529 => Some(DenialKind::Overloaded),
            503 if has_wait => Some(DenialKind::Overloaded),
            _ => None,
        };
        let mut kind = words::stricter(said, implied);
        // A quota of a day comes back at a time that nobody states, or only hours later.
        let is_over =
            self.is_daily() && (self.has_list || !has_wait) && kind == Some(DenialKind::RateLimited);
        if is_over || (self.may_be_exhausted && !self.has_list && !has_wait) {
            kind = words::stricter(kind, Some(DenialKind::Exhausted));
        }
        let kind = kind.filter(|kind| may_mean(status, *kind)).unwrap_or(DenialKind::Other);
        let is_limit = !matches!(kind, DenialKind::Other | DenialKind::Overloaded);
        Denial { kind, violations: if is_limit { self.violations.clone() } else { Vec::new() } }
    }

    /// Returns whether a limit per day or longer was violated.
    fn is_daily(&self) -> bool {
        let is_daily = |window: Duration| window.as_secs() >= DAY;
        self.violations.iter().any(|violation| violation.window.is_some_and(is_daily))
    }
}

/// Returns whether a response with this status can be of that kind. The text of an error repeats
/// parts of requests, so a phrase in an error about something else means nothing.
fn may_mean(status: u16, kind: DenialKind) -> bool {
    match kind {
        DenialKind::TooLarge => matches!(status, 0 | 400 | 413 | 422 | 429 | 500),
        DenialKind::Exhausted => matches!(status, 0 | 400 | 402 | 403 | 429),
        DenialKind::SlowDown | DenialKind::RateLimited => matches!(status, 0 | 403 | 429 | 503),
        DenialKind::Overloaded => matches!(status, 0 | 429 | 498 | 500..),
        DenialKind::Other => true,
    }
}
