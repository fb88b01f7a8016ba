//! Counts of tokens: of a text, and of a request before it is sent.
//!
//! A limiter prices each request by itself. These functions return the same price without acquiring
//! anything. Params are any [`Serialize`] type with the fields of the provider's API: a
//! `serde_json::Value`, a request of async-openai, a struct of your own. They are read and never
//! copied, and params with the same JSON have the same price.
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
//! * **Hostile content** is safe. TextCounter takes linear time whatever the text is. Values nested
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

use serde::Serialize;

use super::anthropic::MessagesGrammar;
pub use super::charge::Charge;
use super::common::price;
use super::gemini::GenerateContentGrammar;
use super::kind::ReadsParams;
use super::openai::Shape;
use super::options::PriceOptions;
pub use super::with_model::WithModel;
use crate::tokenizer::Factor;
#[cfg(feature = "tiktoken-rs")]
pub use crate::tokenizer::TiktokenRs;
pub use crate::tokenizer::{Encoding, Tokenizer};
use crate::{Cost, ParamsError};

/// Counts the tokens of `text` for `model`.
///
/// The count is exact if [`is_exact`] returns true. Otherwise the model is not
/// [`known`](Encoding::known) or its encoding is not compiled in
/// ([`counted_by`](Encoding::counted_by)), and the count is an estimate that can be too low.
///
/// The text is read as ordinary text, so `<|endoftext|>` counts as its characters and not as the
/// special token. The vocabularies are part of the program. Nothing is downloaded or loaded.
///
/// Each thread that counts keeps a cache of words, half a megabyte for each encoding. The process
/// keeps the counts of whole texts of 32 bytes and more, in a quarter of a megabyte. So counting a
/// conversation that has grown by a message takes little longer than counting the message.
///
/// ```
/// use openlimit::tokens;
///
/// assert_eq!(tokens::count("gpt-4o", "Hello, world!"), 4);
/// assert_eq!(tokens::count("gpt-4o", "你好，世界"), 3);
/// assert_eq!(tokens::count("gpt-4", "你好，世界"), 6);
/// ```
#[must_use]
pub fn count(model: &str, text: &str) -> u64 {
    Factor::of(model).times(Encoding::of(model).count(text))
}

/// Returns the factor by which [`count`] and all prices multiply the tokens of texts for `model`.
///
/// It is 1 for every model whose tokenizer is public. The tokenizers of Claude and Gemini are not.
/// Their texts are counted by `o200k_base`, and these factors make up for the difference on the
/// whole, not for each text:
///
/// | models | factor | source |
/// | --- | --- | --- |
/// | Claude up to 4.6 | 1.18 | measured with Anthropic's `count_tokens`, August 2026 |
/// | Claude from 4.7 on | 1.53 | the same; Anthropic says about 30 % more tokens than before |
/// | Gemini | 1.18 | measured with the tokenizer of Gemma 3, November 2026: program code 1.18, Markdown 1.12, English 0.99, Chinese 0.81; numbers, of which each digit is a token, up to 2.1 |
///
/// The limiter's option [`input_factor`](crate::Builder::input_factor) sets another.
///
/// ```
/// use openlimit::tokens;
///
/// assert_eq!(tokens::factor("gpt-4o"), 1.0);
/// assert_eq!(tokens::factor("claude-sonnet-4-5"), 1.18);
/// assert_eq!(tokens::factor("anthropic/claude-opus-5"), 1.53);
/// assert_eq!(tokens::count("claude-opus-5", "Why is the sky blue?"), 10);
/// assert_eq!(tokens::count("gpt-4o", "Why is the sky blue?"), 6);
/// ```
#[must_use]
pub fn factor(model: &str) -> f64 {
    Factor::of(model).number()
}

/// Returns whether [`count`] is exact for `model`: the model is known, and its encoding is compiled
/// in.
///
/// A program that must not estimate can check this once, at its start.
///
/// ```
/// use openlimit::tokens;
///
/// assert!(tokens::is_exact("gpt-4o"));
/// assert!(!tokens::is_exact("a-model-of-my-own"));
/// ```
#[must_use]
pub fn is_exact(model: &str) -> bool {
    Encoding::known(model).is_some_and(|encoding| encoding.counted_by() == Some(encoding))
}

/// Returns the paths of the fields that count as their text because they are unknown.
///
/// An unknown field is never left out of a price. It counts as its text, which is a guess and as a
/// rule too much. Use this function to look at a request of your program, or to check one in a
/// test. It lists none of the fields that the providers document.
///
/// `K` is the kind of limiter that the request is for, such as [`kind::Chat`](crate::kind::Chat).
/// A path has a field's name after a period and an item's index in brackets, and at most 100
/// characters of each name. The fields inside an unknown field are a part of it and are not listed.
/// A field that is `null` counts nothing and is not listed. The order is that of the request.
///
/// ```
/// use openlimit::{kind, tokens};
/// use serde_json::json;
///
/// let request = json!({
///     "messages": [{ "role": "user", "content": [{ "type": "text", "text": "Hi", "lang": "en" }] }],
///     "model": "gpt-4o",
///     "system": "Be brief.",
///     "temperature": 0.5,
/// });
/// let unknown = tokens::unknown_fields::<kind::Chat>(&request)?;
/// assert_eq!(unknown, ["messages[0].content[0].lang", "system"]);
/// # Ok::<(), openlimit::ParamsError>(())
/// ```
///
/// # Errors
/// If the params have no price, with the same error.
pub fn unknown_fields<K: ReadsParams>(
    params: &(impl Serialize + ?Sized),
) -> Result<Vec<String>, ParamsError> {
    K::unknown_fields(params)
}

/// Returns the cost of a chat completion.
///
/// ```
/// use openlimit::{Dimension, tokens};
///
/// #[derive(serde::Serialize)]
/// struct Request<'a> {
///     model: &'a str,
///     messages: &'a [Message<'a>],
///     n: u8,
/// }
///
/// #[derive(serde::Serialize)]
/// struct Message<'a> {
///     role: &'a str,
///     content: &'a str,
/// }
///
/// let messages = [Message { role: "user", content: "Name a colour." }];
/// let cost = tokens::chat(&Request { model: "gpt-4o", messages: &messages, n: 2 })?;
/// assert_eq!(cost.amount(&Dimension::OutputTokens), 32);
/// # Ok::<(), openlimit::ParamsError>(())
/// ```
///
/// # Errors
/// If there is no list of `messages`, or `model`, `max_completion_tokens`, `max_tokens` or `n` has
/// the wrong type.
pub fn chat<T: Serialize + ?Sized>(params: &T) -> Result<Cost, ParamsError> {
    price(&Shape::CHAT, params, &PriceOptions::default())
}

/// Returns the cost of a legacy completion, or of an edit, which has an `instruction` and an
/// `input` in place of a `prompt`.
///
/// ```
/// use openlimit::{Dimension, tokens};
/// use serde_json::json;
///
/// let params = json!({ "model": "gpt-3.5-turbo-instruct", "prompt": ["One", "Two"], "max_tokens": 50 });
/// assert_eq!(tokens::completion(&params)?.amount(&Dimension::Tokens), 1 + 1 + 2 * 50);
/// # Ok::<(), openlimit::ParamsError>(())
/// ```
///
/// # Errors
/// If there is neither a `prompt` that is a string or a list nor an `instruction`, or `model`,
/// `max_tokens`, `n` or `best_of` has the wrong type.
pub fn completion<T: Serialize + ?Sized>(params: &T) -> Result<Cost, ParamsError> {
    price(&Shape::COMPLETION, params, &PriceOptions::default())
}

/// Returns the cost of an embedding, which has no output.
///
/// ```
/// use openlimit::{Dimension, tokens};
/// use serde_json::json;
///
/// let params = json!({ "model": "text-embedding-3-small", "input": ["Hello, world!", "Goodbye!"] });
/// assert_eq!(tokens::embedding(&params)?.amount(&Dimension::Tokens), 4 + 3);
/// # Ok::<(), openlimit::ParamsError>(())
/// ```
///
/// # Errors
/// If there is no `input` that is a string or a list, or `model` is not a string.
pub fn embedding<T: Serialize + ?Sized>(params: &T) -> Result<Cost, ParamsError> {
    price(&Shape::EMBEDDING, params, &PriceOptions::default())
}

/// Returns the cost of a response of the Responses API.
///
/// ```
/// use openlimit::{Dimension, tokens};
/// use serde_json::json;
///
/// let params = json!({
///     "model": "gpt-5",
///     "instructions": "Answer like a pirate.",
///     "input": "Why is the sky blue?",
///     "max_output_tokens": 500,
/// });
/// assert_eq!(tokens::responses(&params)?.amount(&Dimension::Tokens), 22 + 500);
/// # Ok::<(), openlimit::ParamsError>(())
/// ```
///
/// # Errors
/// If there is neither an `input` that is a string or a list nor a field that may replace it
/// (`prompt`, `previous_response_id`, `conversation`), or `model` or `max_output_tokens` has the
/// wrong type.
pub fn responses<T: Serialize + ?Sized>(params: &T) -> Result<Cost, ParamsError> {
    price(&Shape::RESPONSES, params, &PriceOptions::default())
}

/// Returns the cost of a request to Anthropic's Messages.
///
/// The output is what is expected, and not the maximum that the request names: see
/// [`Builder::default_output`](crate::Builder::default_output).
///
/// ```
/// use openlimit::{Dimension, tokens};
/// use serde_json::json;
///
/// let cost = tokens::messages(&json!({
///     "model": "claude-opus-5",
///     "max_tokens": 16_000,
///     "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
/// }))?;
/// assert_eq!(cost.amount(&Dimension::InputTokens), 17);
/// assert_eq!(cost.amount(&Dimension::OutputTokens), 500);
/// # Ok::<(), openlimit::ParamsError>(())
/// ```
///
/// # Errors
/// If there is no list of `messages`, or `model`, `max_tokens` or `thinking.budget_tokens` has the
/// wrong type.
pub fn messages<T: Serialize + ?Sized>(params: &T) -> Result<Cost, ParamsError> {
    price(&MessagesGrammar, params, &PriceOptions::default())
}

/// Returns the cost of a request to Gemini's `generateContent` or `streamGenerateContent`, whose
/// path names the model.
///
/// The output is what is expected, and not the maximum that the request names: see
/// [`Builder::default_output`](crate::Builder::default_output).
///
/// ```
/// use openlimit::{Dimension, tokens};
/// use serde_json::json;
///
/// let cost = tokens::generate_content("gemini-2.5-flash", &json!({
///     "contents": [{ "role": "user", "parts": [{ "text": "Why is the sky blue?" }] }],
///     "generationConfig": { "maxOutputTokens": 100, "candidateCount": 2 },
/// }))?;
/// assert_eq!(cost.amount(&Dimension::InputTokens), 9);
/// assert_eq!(cost.amount(&Dimension::OutputTokens), 200);
/// # Ok::<(), openlimit::ParamsError>(())
/// ```
///
/// # Errors
/// If there is no list of `contents`, or a number of the `generationConfig` has the wrong type.
pub fn generate_content<T: Serialize + ?Sized>(model: &str, params: &T) -> Result<Cost, ParamsError> {
    let options = PriceOptions { model: Some(model.to_owned()), ..PriceOptions::default() };
    price(&GenerateContentGrammar, params, &options)
}
