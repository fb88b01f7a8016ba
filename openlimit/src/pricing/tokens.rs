//! Counting tokens: of a text, and of a request before it is sent.
//!
//! A limiter prices each request by itself; these functions say the price without acquiring anything. Params
//! are anything [`Serialize`] that has the fields of OpenAI's API: a `serde_json::Value`, a request of
//! async-openai, a struct of your own. They are read, never copied, and the same JSON has the same price.
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
//! # How a request is counted
//!
//! * **Input**: the texts, by the model's [`Encoding`], and what the chat format adds to them, by the formulas
//!   of OpenAI's cookbook. Function definitions are counted by them too.
//! * **Output**: the largest that the request allows, for each choice (`n`, `best_of`) and each prompt; 16 where
//!   it names no maximum, or the limiter's own default.
//! * **Tokens** are the sum of both, or what [`Charge`] says.
//! * **Images** are priced by model, detail and size, by the rules of OpenAI's vision guide. The size is read from the
//!   header of a data URL (PNG, JPEG, GIF, WebP); an image whose size is unknown, such as one behind a URL, counts as
//!   the largest that the model takes, and `auto` as full detail.
//! * **Sounds** count as a minute (600 tokens), and **files** as a page: 600 tokens of text, and an image of unknown
//!   size. Both are assumptions, since neither length nor pages can be told from outside. What stands in an unknown
//!   field and is base64, in a data URL or a KiB and more of it, is taken for a file.
//! * **Schemas** of the reply count as their JSON, escapes included, and 16 tokens; **tools that the provider brings**
//!   as their settings and 400 tokens. Both are assumptions: what the model is told of them is not in the request.
//! * **What is unknown** inside a message or a tool counts as its text, and never fails. Unknown fields of the
//!   request itself are left out, and so are ids, but for that of the call to which a result belongs.
//! * **Hostile content** is safe: counting takes time in proportion to the text, whatever it is, and what is nested
//!   more than 128 levels deep, which is deeper than `serde_json` reads, is left out.
//! * **Another counter** can take this one's place in a limiter, for the texts: any [`Tokenizer`].
//! * What the API adds out of sight (`previous_response_id`, a stored prompt) cannot be counted here.

use serde::Serialize;

pub use super::charge::Charge;
use super::openai;
use super::options::PriceOptions;
#[cfg(feature = "tiktoken-rs")]
pub use crate::tokenizer::TiktokenRs;
pub use crate::tokenizer::{Encoding, Tokenizer};
use crate::{Cost, ParamsError};

/// How many tokens `text` is for `model`.
///
/// It is exact, and the text is read as ordinary text: `<|endoftext|>` is what it looks like, not the special
/// token. The vocabularies are part of the program: nothing is downloaded, and nothing has to be loaded. For a model
/// that is not [`known`](Encoding::known), or whose encoding is not compiled in
/// ([`counted_by`](Encoding::counted_by)), it is an estimate, and may be too low: [`is_exact`] tells.
///
/// Each thread that counts keeps half a megabyte for each encoding, in which it remembers words. The process keeps a
/// quarter of a megabyte, in which it remembers the counts of whole texts of 32 bytes and more: a conversation that
/// grows by a message costs little more than the message.
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
    Encoding::of(model).count(text)
}

/// Whether [`count`] is exact for `model`: the model is known, and its encoding is compiled in.
///
/// A program that must not estimate checks it once, at its start.
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

/// What a chat completion costs.
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
/// If there is no list of `messages`, or `model`, `max_completion_tokens`, `max_tokens` or `n` is not what it
/// should be.
pub fn chat<T: Serialize + ?Sized>(params: &T) -> Result<Cost, ParamsError> {
    openai::chat(params, &PriceOptions::default())
}

/// What a legacy completion costs, or an edit: `instruction` and `input`, in place of `prompt`.
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
/// If there is no `prompt` that is a string or a list and no `instruction`, or `model`, `max_tokens`, `n` or `best_of`
/// is not what it should be.
pub fn completion<T: Serialize + ?Sized>(params: &T) -> Result<Cost, ParamsError> {
    openai::completion(params, &PriceOptions::default())
}

/// What an embedding costs: there is no output.
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
    openai::embedding(params, &PriceOptions::default())
}

/// What a response of the Responses API costs.
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
/// If there is no `input` that is a string or a list, and nothing in its place (`prompt`, `previous_response_id`,
/// `conversation`), or `model` or `max_output_tokens` is not what it should be.
pub fn responses<T: Serialize + ?Sized>(params: &T) -> Result<Cost, ParamsError> {
    openai::responses(params, &PriceOptions::default())
}
