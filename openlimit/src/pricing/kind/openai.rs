//! The kinds of limiter that price OpenAI's requests.

use crate::pricing::openai::Shape;
use crate::pricing::params::reads_params;

/// Prices OpenAI's chat completions, by their `model`, `messages`, `max_completion_tokens` and `n`.
#[derive(Clone, Copy, Debug)]
pub enum Chat {}

/// Prices OpenAI's legacy completions, by their `model`, `prompt`, `max_tokens`, `n` and `best_of`,
/// and edits, by their `instruction` and `input`.
#[derive(Clone, Copy, Debug)]
pub enum Completion {}

/// Prices OpenAI's embeddings, by their `model` and `input`.
#[derive(Clone, Copy, Debug)]
pub enum Embedding {}

/// Prices OpenAI's Responses, by their `model`, `instructions`, `input` and `max_output_tokens`.
#[derive(Clone, Copy, Debug)]
pub enum Responses {}

reads_params!(Chat, Shape::CHAT);
reads_params!(Completion, Shape::COMPLETION);
reads_params!(Embedding, Shape::EMBEDDING);
reads_params!(Responses, Shape::RESPONSES);
