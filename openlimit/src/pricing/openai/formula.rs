//! The constants that are added to the tokens of texts, each with its source.
//!
//! OpenAI promises none of them. The cookbook's figures are measured, and are estimates for the
//! models that came after it.

use crate::tokenizer::{Encoding, base, fits};

/// The tokens that a chat adds to its texts, by model.
///
/// Source: OpenAI cookbook, "How to count tokens with tiktoken" (`num_tokens_from_messages`,
/// `num_tokens_for_tools`).
#[derive(Debug)]
pub(super) struct Formula {
    /// For each message.
    pub(super) message: u64,
    /// For a message with a name.
    pub(super) name: i64,
    /// Once, for the start of the reply.
    pub(super) reply: u64,
    /// For each function that may be called.
    pub(super) function: u64,
}

impl Formula {
    pub(super) fn of(model: &str, encoding: Encoding) -> &'static Self {
        const FIRST: Formula = Formula { message: 4, name: -1, reply: 3, function: 10 };
        const GPT_4: Formula = Formula { message: 3, name: 1, reply: 3, function: 10 };
        const TODAY: Formula = Formula { message: 3, name: 1, reply: 3, function: 7 };
        let name = base(model);
        match encoding {
            _ if fits(name, "gpt-3.5-turbo-0301") || fits(name, "gpt-35-turbo-0301") => &FIRST,
            Encoding::O200kBase => &TODAY,
            _ => &GPT_4,
        }
    }
}

/// Once, if there are functions. The source of this and the next four is the cookbook's
/// `num_tokens_for_tools`.
pub(super) const FUNCTIONS: u64 = 12;

/// Once for each list of properties.
pub(super) const PROPERTIES: u64 = 3;

/// For each property.
pub(super) const PROPERTY: u64 = 3;

/// For each enumeration.
pub(super) const ENUM: i64 = -3;

/// For each item of an enumeration.
pub(super) const ENUM_ITEM: u64 = 3;

/// For the role of a message that does not name it, such as a lone text or an item of the Responses
/// API. An assumption: each known role is one token.
pub(super) const ROLE: i64 = 1;

/// For each tool call in a message, or for an item that is a call. An assumption: a call is framed
/// like a message.
///
/// The id that ties a result to its call counts as its text. That is an assumption too: the
/// cookbook counts every text of a message. The harmony format, in which OpenAI's open models read
/// a conversation, has the name of the tool in place of the id, and that is rarely longer.
pub(super) const CALL: u64 = 3;

/// For a tool that the provider runs: a search, a sandbox.
///
/// An assumption, since the request does not contain what the model reads about such a tool. The
/// text for the browser in the harmony format has 397 tokens in o200k.
pub(super) const BUILT_IN: u64 = 400;

/// For the schema of the reply: a heading, another for its name, and the frame of the message that
/// holds them if there is no such message.
///
/// Source: the section "Structured output" of OpenAI's page about the harmony response format,
/// where the schema follows as JSON. An assumption for models that have another format.
pub(super) const SCHEMA: u64 = 16;

/// For a sound of any length: one minute at one token for each 100 ms.
///
/// Source of the rate: OpenAI's guide to the costs of the realtime API. The minute is an
/// assumption, and so is that other models charge the same.
pub(super) const AUDIO: u64 = 600;

/// For the text of a file of any length: one full page, about 450 words of English.
///
/// The model reads each page as its text and an image. Source: OpenAI's guide to PDF files. One
/// page is an assumption, since only the provider knows their number. The usage in the reply
/// corrects it.
pub(super) const PAGE: u64 = 600;
