//! The names of the limiters: one for each kind of request.

use super::Limiter;
use crate::pricing::kind::Explicit;
#[cfg(feature = "tokenizers")]
use crate::pricing::kind::{Chat, Completion, Embedding, GenerateContent, Messages, Responses};

/// A limiter of explicit costs. See [`Limiter`].
pub type RateLimiter = Limiter<Explicit>;

/// A limiter that prices requests to OpenAI's chat completions. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type ChatRateLimiter = Limiter<Chat>;

/// A limiter that prices requests to OpenAI's legacy completions. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type CompletionRateLimiter = Limiter<Completion>;

/// A limiter that prices requests to OpenAI's embeddings. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type EmbeddingRateLimiter = Limiter<Embedding>;

/// A limiter that prices requests to OpenAI's Responses. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type ResponsesRateLimiter = Limiter<Responses>;

/// A limiter that prices requests to Anthropic's Messages. See [`Limiter`].
///
/// Anthropic limits input and output apart, so declare `input_tokens` and `output_tokens`. What it
/// reserves for the output: [`Builder::default_output`](crate::Builder::default_output).
#[cfg(feature = "tokenizers")]
pub type MessagesRateLimiter = Limiter<Messages>;

/// A limiter that prices requests to Gemini's `generateContent` and `streamGenerateContent`. See
/// [`Limiter`].
///
/// Gemini's limit on tokens counts input only, so declare it as `input_tokens`. The model is not in
/// the request: see [`Builder::model`](crate::Builder::model), and
/// [`WithModel`](crate::tokens::WithModel) for a limiter of several models.
#[cfg(feature = "tokenizers")]
pub type GenerateContentRateLimiter = Limiter<GenerateContent>;
