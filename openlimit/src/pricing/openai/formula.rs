//! What is added to the tokens of the texts: the constants of the formulas, each with its source.
//!
//! None of this is promised by OpenAI. The cookbook's figures are measured, and are an estimate for the models
//! that came after it.

use crate::tokenizer::{Encoding, base, fits};

/// What a chat adds around its texts.
///
/// Source: OpenAI cookbook, "How to count tokens with tiktoken" (`num_tokens_from_messages`,
/// `num_tokens_for_tools`).
#[derive(Debug)]
pub(super) struct Formula {
    /// For each message.
    pub(super) message: u64,
    /// For a message with a name.
    pub(super) name: i64,
    /// Once, for the beginning of the reply.
    pub(super) reply: u64,
    /// For each function that may be called.
    pub(super) function: u64,
}

impl Formula {
    pub(super) fn of(model: &str) -> &'static Self {
        const FIRST: Formula = Formula { message: 4, name: -1, reply: 3, function: 10 };
        const GPT_4: Formula = Formula { message: 3, name: 1, reply: 3, function: 10 };
        const TODAY: Formula = Formula { message: 3, name: 1, reply: 3, function: 7 };
        let name = base(model);
        match Encoding::of(model) {
            _ if fits(name, "gpt-3.5-turbo-0301") || fits(name, "gpt-35-turbo-0301") => &FIRST,
            Encoding::O200kBase => &TODAY,
            _ => &GPT_4,
        }
    }
}

/// Once where there are functions. This and the next four: the cookbook's `num_tokens_for_tools`.
pub(super) const FUNCTIONS: u64 = 12;

/// Where a function has properties.
pub(super) const PROPERTIES: u64 = 3;

/// For each property.
pub(super) const PROPERTY: u64 = 3;

/// Where a property has an enumeration.
pub(super) const ENUM: i64 = -3;

/// For each item of an enumeration.
pub(super) const ENUM_ITEM: u64 = 3;

/// For a message that names no role, as a text that is one, or an item of the Responses API: the role that it is given.
/// An assumption: each role that is known is one token.
pub(super) const ROLE: i64 = 1;

/// For each call of a tool that a message repeats, or an item is. An assumption: it is framed as a message is.
///
/// The id with which a result refers to its call is counted as its text. That, too, is an assumption: the cookbook
/// counts every text of a message, and what harmony gives in the id's place, the name of the tool, is rarely longer.
pub(super) const CALL: u64 = 3;

/// For a tool that the provider brings: a search, a sandbox.
///
/// An assumption, since what the model is told of one is not in the request: the text that OpenAI's harmony response
/// format has for its browser is 397 tokens in o200k.
pub(super) const BUILT_IN: u64 = 400;

/// Where the reply is to have a schema: a heading, another for its name, and the frame of the message that this is
/// put into, where there is none.
///
/// Source: the section "Structured output" of OpenAI's harmony response format, which then gives the schema as
/// JSON. An assumption for the models that speak another one.
pub(super) const SCHEMA: u64 = 16;

/// What JSON adds to an entry of a map: its quotes, colon and comma. An assumption.
pub(super) const ENTRY: u64 = 2;

/// What JSON adds to a text with escapes, beside them: its quotes, which share no token with an escape. An assumption.
pub(super) const ESCAPED: u64 = 2;

/// What JSON adds to an item of a list: its comma. An assumption.
pub(super) const ITEM: u64 = 1;

/// For a sound, whatever its length: a minute, at one token for 100 ms.
///
/// Source of the rate: OpenAI's guide to the costs of the realtime API. The minute is an assumption, as it is that
/// other models charge alike.
pub(super) const AUDIO: u64 = 600;

/// The text of a file, whatever its length: that of a full page, beside which the model gets the page's image.
///
/// That a page is its text and an image is from OpenAI's guide to PDF files. An assumption: one page, of some 450 words
/// of English. How many there are only the provider knows: what is larger is told by the usage that it reports.
pub(super) const PAGE: u64 = 600;

/// The bytes that stand for a token where text is sealed: base64 of at least three bytes' text a token.
///
/// An assumption. What is sealed (the reasoning that a client hands back) cannot be counted; English has over
/// four bytes a token.
pub(super) const SEALED_BYTES: u64 = 4;

/// The characters that stand for a token in OpenAI's own estimate.
///
/// Source: OpenAI's rule of thumb for English.
pub(super) const CHARACTERS: u64 = 4;
