//! `Role`: the places of a reply where usage, its end and errors can be.
//!
//! A model must not be able to forge usage. Its text is in strings, where nothing is read. But the
//! arguments of a tool call can be objects. So a key counts only where servers put it: at the top,
//! or directly in a few objects at the top. The rules are the same for bytes and for values.

/// Objects at the top that have usage in them: of the Responses API, of Anthropic's
/// `message_start`, and of Groq's chunks.
const PARENTS: [&[u8]; 3] = [b"response", b"message", b"x_groq"];

/// Keys of usage objects: of nearly all, of Gemini, and of Bedrock's last chunk.
const USAGE: [&[u8]; 3] = [b"usage", b"usageMetadata", BEDROCK];

pub(super) const BEDROCK: &[u8] = b"amazon-bedrock-invocationMetrics";

/// Objects in usage that say which part of the input came from the cache: OpenAI's.
const DETAILS: [&[u8]; 2] = [b"prompt_tokens_details", b"input_tokens_details"];

/// Their number.
const CACHED: &[u8] = b"cached_tokens";

/// Ollama's numbers, which are at the top of its last event.
const AT_THE_TOP: [&[u8]; 2] = [b"prompt_eval_count", b"eval_count"];

/// Lists at the top whose items say when they are complete: of OpenAI, and of Gemini.
const CHOICES: [&[u8]; 2] = [b"choices", b"candidates"];

/// Keys whose text says why the answer is complete. While it is not, they are null or absent.
const REASONS: [&[u8]; 4] = [b"finish_reason", b"finishReason", b"stop_reason", b"stopReason"];

/// The last events of a stream: of Anthropic, of the Responses API, and of the Realtime API.
const LAST_EVENTS: [&[u8]; 5] =
    [b"message_stop", b"response.completed", b"response.incomplete", b"response.failed", b"response.done"];

/// The states of the Responses API in which an answer changes no more.
const LAST_STATES: [&[u8]; 4] = [b"completed", b"incomplete", b"failed", b"cancelled"];

/// The meaning of an object or a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    #[default]
    Other,
    /// A whole reply, or one event of a stream.
    Top,
    /// Usage may be directly in it.
    Parent,
    Usage,
    /// Details of the input, directly in `Usage`.
    Details,
    Choices,
    /// An item of `Choices`, or Anthropic's `delta`.
    Choice,
}

impl Role {
    /// Returns the role of an object or a list in this one. Items of lists have an empty key.
    pub(super) fn of(self, key: &[u8], is_list: bool) -> Self {
        match self {
            Self::Top if is_list && CHOICES.contains(&key) => Self::Choices,
            Self::Choices if !is_list => Self::Choice,
            _ if is_list => Self::Other,
            Self::Top | Self::Parent if USAGE.contains(&key) => Self::Usage,
            Self::Usage if DETAILS.contains(&key) => Self::Details,
            Self::Top if PARENTS.contains(&key) => Self::Parent,
            Self::Top if key == b"delta" => Self::Choice,
            _ => Self::Other,
        }
    }

    /// Returns true if a number of this key in it is one of tokens.
    pub(super) fn counts(self, key: &[u8]) -> bool {
        match self {
            Self::Usage => true,
            Self::Details => key == CACHED,
            _ => self.ends_by_count(key),
        }
    }

    /// Returns true if a number of this key in it says that the answer is complete.
    pub(super) fn ends_by_count(self, key: &[u8]) -> bool {
        self == Self::Top && AT_THE_TOP.contains(&key)
    }

    /// Returns true if an object of this role and key says that the answer is complete.
    pub(super) fn ends_by_object(self, key: &[u8]) -> bool {
        self == Self::Usage && key == BEDROCK
    }

    /// Returns true if this text in it says that the answer is complete.
    pub(super) fn ends_by_text(self, key: &[u8], text: &[u8]) -> bool {
        match self {
            Self::Top | Self::Parent if key == b"status" => LAST_STATES.contains(&text),
            Self::Top if key == b"type" => LAST_EVENTS.contains(&text),
            Self::Top | Self::Parent | Self::Choice => REASONS.contains(&key) && !text.is_empty(),
            _ => false,
        }
    }

    /// Returns true if a value of this key in it is an error.
    pub(super) fn is_error(self, key: &[u8]) -> bool {
        matches!(self, Self::Top | Self::Parent) && key == b"error"
    }

    /// Returns true if this text says that all of the object is an error.
    pub(super) fn is_error_event(self, key: &[u8], text: &[u8]) -> bool {
        self == Self::Top && key == b"type" && text == b"error"
    }
}
