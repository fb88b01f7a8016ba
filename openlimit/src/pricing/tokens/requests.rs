//! Prices a request without a limiter: one function for each kind.

use serde::Serialize;

use super::super::anthropic::MessagesGrammar;
use super::super::common::price;
use super::super::gemini::GenerateContentGrammar;
use super::super::kind::ReadsParams;
use super::super::openai::Shape;
use super::super::options::PriceOptions;
use crate::{Cost, ParamsError};

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
