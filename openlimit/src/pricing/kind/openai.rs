//! The kinds of limiter that read OpenAI's requests.

use serde::Serialize;

use crate::pricing::openai;
use crate::pricing::options::PriceOptions;
use crate::pricing::params::ReadsParams;
use crate::{Cost, ParamsError};

/// Reads params as OpenAI's chat completions do: `model`, `messages`, `max_completion_tokens`, `n`.
#[derive(Clone, Copy, Debug)]
pub enum Chat {}

/// Reads params as OpenAI's legacy completions do: `model`, `prompt`, `max_tokens`, `n`, `best_of`; and
/// edits: `instruction`, `input`.
#[derive(Clone, Copy, Debug)]
pub enum Completion {}

/// Reads params as OpenAI's embeddings do: `model`, `input`.
#[derive(Clone, Copy, Debug)]
pub enum Embedding {}

/// Reads params as OpenAI's Responses do: `model`, `instructions`, `input`, `max_output_tokens`.
#[derive(Clone, Copy, Debug)]
pub enum Responses {}

macro_rules! reads {
    ($($kind:ident => $price:ident),+ $(,)?) => {$(
        impl ReadsParams for $kind {
            fn read<T: Serialize + ?Sized>(params: &T, options: &PriceOptions) -> Result<Cost, ParamsError> {
                openai::$price(params, options)
            }
        }
    )+};
}

reads! {
    Chat => chat,
    Completion => completion,
    Embedding => embedding,
    Responses => responses,
}
