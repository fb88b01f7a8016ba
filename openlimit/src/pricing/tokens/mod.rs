//! Counts of tokens: of a text, and of a request before it is sent.
//!
//! A limiter prices each request by itself. These functions return the same price without acquiring
//! anything. Params are any [`Serialize`](serde::Serialize) type with the fields of the provider's
//! API: a `serde_json::Value`, a request of async-openai, a struct of your own. They are read and
//! never copied, and params with the same JSON have the same price.
//!
//! ```
//! use openlimit::{Dimension, tokens};
//! use serde_json::json;
//!
//! let cost = tokens::chat(&json!({
//!     "model": "gpt-4o",
//!     "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
//!     "max_completion_tokens": 300,
//! }))?;
//! assert_eq!(cost.amount(&Dimension::InputTokens), 13);
//! assert_eq!(cost.amount(&Dimension::OutputTokens), 300);
//! assert_eq!(cost.amount(&Dimension::Tokens), 313);
//! # Ok::<(), openlimit::ParamsError>(())
//! ```
//!
//! # How OpenAI's requests are counted
//!
//! * **Input** is the texts, counted by the model's [`Encoding`], and the tokens that the chat
//!   format adds to them, by the formulas of OpenAI's cookbook. The formulas count function
//!   definitions too.
//! * **Output** is the largest that the request allows, for each choice (`n`, `best_of`) and each
//!   prompt. A request without a maximum counts as 16 tokens, or as the limiter's
//!   [`default_output`](crate::Builder::default_output).
//! * **Tokens** are the sum of both, unless the limiter's [`Charge`] says otherwise.
//! * **Images** are priced by model, detail and size, by the rules of OpenAI's vision guide. The
//!   size is read from the header of a data URL (PNG, JPEG, GIF, WebP). An image of unknown size,
//!   such as one behind a URL, counts as the largest that the model takes. The detail `auto` counts
//!   as full detail.
//! * **Sounds** count as one minute: 600 tokens. **Files** count as one page: 600 tokens of text,
//!   and an image of unknown size. Both are assumptions, since length and pages cannot be read from
//!   the request. Base64 in an unknown field is taken for a file if it is in a data URL or at least
//!   a KiB long.
//! * **Schemas** of the reply count as their JSON, escapes included, and 16 tokens. **Tools that
//!   the provider runs** count as their settings and 400 tokens. Both are assumptions, since the
//!   request does not contain what the model reads about them.
//! * **Unknown fields** count as their text, in the request itself as well as in a message or a
//!   tool, and are never an error. [`unknown_fields`] lists them. Fields that only the API reads
//!   are skipped: settings such as `temperature`, labels such as `metadata`, and ids, except the
//!   one that ties a result to its tool call.
//! * **Predictions** of the reply (`prediction`) count as input. The model does not read them, but
//!   OpenAI counts their wrong parts as output.
//! * **Hostile content** is safe. Counting takes linear time whatever the text is. Values nested
//!   more than 128 levels deep, which is deeper than `serde_json` reads, are skipped.
//! * **Another counter** can count the texts for a limiter: any [`Tokenizer`].
//! * **Stored content** that the API adds (`previous_response_id`, a stored prompt) is not in the
//!   request and cannot be counted here.
//!
//! Unknown fields, hostile content, other counters and stored content are the same for all
//! providers.
//!
//! # How Anthropic's Messages are counted
//!
//! * **Input** is the texts of `system` and `messages`, counted by `o200k_base` and multiplied by
//!   the [`factor`] of the model, and 4 tokens for each message. On the examples of Anthropic's
//!   guide to token counting, that is up to a quarter too much, or 1 % too little.
//! * **Output** is what is expected: the limiter's
//!   [`default_output`](crate::Builder::default_output), or 500, plus the budget of `thinking`, and
//!   at most `max_tokens`. Anthropic limits the output that there was and not `max_tokens`, which
//!   is most often far higher. Settle calls, so that what they really put out counts.
//! * **Cache reads** count in the reservation, since only the provider knows them. Settling gives
//!   them back: Anthropic does not count them (except for Claude Haiku 3.5).
//! * **Images** count one token for each patch of 28 x 28 pixels, after they are scaled down to
//!   what the model reads. **Documents** count as one page, 3 000 tokens and an image, or as their
//!   text.
//! * **Tools** count as their JSON, and the prompt that Anthropic adds for them as its table says,
//!   by model and `tool_choice`. Anthropic's own tools count as its pages say, or as the largest.
//! * **Thinking** that is sent back counts as its text, and its encrypted form as one token for
//!   each four bytes. **Citations** count nothing.
//! * **MCP servers** are not asked for their tools, so these cannot be counted.
//!
//! # How Gemini's requests are counted
//!
//! * **Input** is the texts of `systemInstruction` and `contents`, counted by `o200k_base` and
//!   multiplied by the [`factor`] of the model, and 1 token for each content. Names may be in
//!   camelCase or snake_case. Gemini's limits on tokens count input only.
//! * **Output** is what is expected, as for Anthropic, with `thinkingBudget` and `maxOutputTokens`,
//!   for each of `candidateCount`.
//! * **Images** count 258 tokens for each tile up to Gemini 2.5, and by `mediaResolution` from
//!   Gemini 3 on: 1 120 tokens if it is not set.
//! * **Sounds** count 32 tokens a second, and **videos** also those of one frame a second. Their
//!   length is estimated from the number of bytes (128 kbit/s, 2 Mbit/s), or taken from
//!   `videoMetadata`. That of a file elsewhere is assumed to be one minute.
//! * **Documents** count as one page: its image, and 600 tokens.
//! * **Functions** and schemas count as their JSON. Tools that Google runs count as their settings.
//!   Cached content (`cachedContent`) is not in the request and cannot be counted.

mod requests;
mod text;

pub use self::requests::{
    chat, completion, embedding, generate_content, messages, responses, unknown_fields,
};
pub use self::text::{count, factor, is_exact};
pub use super::charge::Charge;
pub use super::with_model::WithModel;
#[cfg(feature = "tiktoken-rs")]
pub use crate::tokenizer::TiktokenRs;
pub use crate::tokenizer::{Encoding, Tokenizer};
