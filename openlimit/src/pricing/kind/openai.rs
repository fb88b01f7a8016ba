//! The kinds of limiter that price OpenAI's requests.

use serde::Serialize;

use crate::pricing::common::{price, unknown_fields};
use crate::pricing::openai::Shape;
use crate::pricing::options::PriceOptions;
use crate::pricing::params::ReadsParams;
use crate::{Cost, ParamsError};

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

// Written out, since rustc shows the impls to users who price params on another kind.

impl ReadsParams for Chat {
    fn read<T: Serialize + ?Sized>(params: &T, options: &PriceOptions) -> Result<Cost, ParamsError> {
        price(&Shape::CHAT, params, options)
    }

    fn unknown_fields<T: Serialize + ?Sized>(params: &T) -> Result<Vec<String>, ParamsError> {
        unknown_fields(&Shape::CHAT, params)
    }
}

impl ReadsParams for Completion {
    fn read<T: Serialize + ?Sized>(params: &T, options: &PriceOptions) -> Result<Cost, ParamsError> {
        price(&Shape::COMPLETION, params, options)
    }

    fn unknown_fields<T: Serialize + ?Sized>(params: &T) -> Result<Vec<String>, ParamsError> {
        unknown_fields(&Shape::COMPLETION, params)
    }
}

impl ReadsParams for Embedding {
    fn read<T: Serialize + ?Sized>(params: &T, options: &PriceOptions) -> Result<Cost, ParamsError> {
        price(&Shape::EMBEDDING, params, options)
    }

    fn unknown_fields<T: Serialize + ?Sized>(params: &T) -> Result<Vec<String>, ParamsError> {
        unknown_fields(&Shape::EMBEDDING, params)
    }
}

impl ReadsParams for Responses {
    fn read<T: Serialize + ?Sized>(params: &T, options: &PriceOptions) -> Result<Cost, ParamsError> {
        price(&Shape::RESPONSES, params, options)
    }

    fn unknown_fields<T: Serialize + ?Sized>(params: &T) -> Result<Vec<String>, ParamsError> {
        unknown_fields(&Shape::RESPONSES, params)
    }
}
