//! `ApiRequest`: what the body of a call asks for, and its charge.
//!
//! Only fields on which the reply depends are checked. A client is never refused for a parameter
//! that this provider does not know.

use serde_json::Value;

use super::error_reply::ErrorReply;
use crate::{Cost, Dimension, ParamsError, tokens};

/// The largest `n` that OpenAI's API reference allows.
const MOST_CHOICES: u64 = 128;
/// The most texts in one embeddings request that OpenAI's API reference allows.
const MOST_TEXTS: usize = 2_048;

/// An operation that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Completion,
    Embedding,
    Responses,
}

/// A request that can be answered.
#[derive(Debug)]
pub(super) struct ApiRequest {
    pub(super) endpoint: Endpoint,
    pub(super) model: String,
    /// The number of answers: `n` for each prompt, or one vector for each input.
    pub(super) answers: u64,
    /// The most tokens of each answer, if the request names a maximum.
    pub(super) most: Option<u64>,
    pub(super) stream: bool,
    /// Whether the stream ends with the usage.
    pub(super) stream_usage: bool,
    pub(super) vectors: Vectors,
    pub(super) cost: Cost,
}

/// The format of embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vectors {
    pub(super) dimensions: usize,
    pub(super) base64: bool,
}

impl Endpoint {
    /// Returns the operation of a path.
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/chat/completions" => Self::Chat,
            "/v1/completions" => Self::Completion,
            "/v1/embeddings" => Self::Embedding,
            "/v1/responses" => Self::Responses,
            _ => return None,
        })
    }

    /// Returns the cost of a request. It is the limiter's own count on purpose: this provider tests
    /// whether limits are kept, and not how tokens are counted.
    fn price(self, params: &Value) -> Result<Cost, ParamsError> {
        match self {
            Self::Chat => tokens::chat(params),
            Self::Completion => tokens::completion(params),
            Self::Embedding => tokens::embedding(params),
            Self::Responses => tokens::responses(params),
        }
    }
}

impl ApiRequest {
    /// Reads the body of a call.
    pub(super) fn read(endpoint: Endpoint, body: &[u8]) -> Result<Self, ErrorReply> {
        let params: Value = serde_json::from_slice(body).map_err(|_| ErrorReply::unreadable())?;
        if !params.is_object() {
            return Err(ErrorReply::unreadable());
        }
        let model = match &params["model"] {
            Value::String(model) if !model.is_empty() => model.clone(),
            Value::Null | Value::String(_) => return Err(ErrorReply::no_model()),
            _ => return Err(ErrorReply::wrong_type("model", "a string")),
        };
        let choices = whole(&params, "n", 1, MOST_CHOICES)?.unwrap_or(1);
        let (texts, maximum) = match endpoint {
            Endpoint::Chat => {
                let messages = required(&params, "messages")?.as_array();
                if messages.is_none_or(Vec::is_empty) {
                    return Err(ErrorReply::wrong_type("messages", "a list of one or more messages"));
                }
                let older = whole(&params, "max_tokens", 1, u64::MAX)?;
                (1, whole(&params, "max_completion_tokens", 1, u64::MAX)?.max(older))
            }
            Endpoint::Completion => (texts(&params, "prompt")?, whole(&params, "max_tokens", 0, u64::MAX)?),
            Endpoint::Embedding => (texts(&params, "input")?, None),
            Endpoint::Responses => {
                required(&params, "input")?;
                (1, whole(&params, "max_output_tokens", 1, u64::MAX)?)
            }
        };
        let answers = texts.saturating_mul(if endpoint.takes_n() { choices } else { 1 });
        if answers > MOST_TEXTS as u64 {
            let problem = format!("expected at most {MOST_TEXTS} answers in all, found {answers}");
            return Err(ErrorReply::out_of_range("n", &problem));
        }
        let stream = flag(&params["stream"], "stream")?;
        if stream && endpoint != Endpoint::Chat {
            return Err(ErrorReply::out_of_range("stream", "this provider streams only chat completions"));
        }
        Ok(Self {
            endpoint,
            model,
            answers,
            most: maximum,
            stream,
            stream_usage: flag(&params["stream_options"]["include_usage"], "stream_options.include_usage")?,
            vectors: Vectors::read(&params)?,
            cost: endpoint.price(&params).map_err(|error| ErrorReply::params(&error))?,
        })
    }

    pub(super) fn prompt_tokens(&self) -> u64 {
        self.cost.amount(&Dimension::InputTokens)
    }

    /// Returns the tokens to charge: the prompt and the largest output.
    pub(super) fn charge(&self) -> u64 {
        self.cost.amount(&Dimension::Tokens)
    }
}

impl Endpoint {
    fn takes_n(self) -> bool {
        matches!(self, Self::Chat | Self::Completion)
    }
}

impl Vectors {
    /// The dimensions of `text-embedding-3-small`.
    const DEFAULT: u64 = 1_536;
    /// The dimensions of `text-embedding-3-large`, the most of any model of OpenAI.
    const MOST: u64 = 3_072;

    fn read(params: &Value) -> Result<Self, ErrorReply> {
        let dimensions = whole(params, "dimensions", 1, Self::MOST)?.unwrap_or(Self::DEFAULT);
        Ok(Self {
            dimensions: usize::try_from(dimensions).unwrap_or(1),
            base64: params["encoding_format"] == "base64",
        })
    }
}

/// Returns a field that must be there.
fn required<'a>(params: &'a Value, field: &'static str) -> Result<&'a Value, ErrorReply> {
    match &params[field] {
        Value::Null => Err(ErrorReply::missing(field)),
        value => Ok(value),
    }
}

/// Returns how many texts `field` holds: it is a text, an array of tokens, or a list of either.
fn texts(params: &Value, field: &'static str) -> Result<u64, ErrorReply> {
    match required(params, field)? {
        Value::String(_) => Ok(1),
        Value::Array(list) if list.first().is_some_and(Value::is_number) => Ok(1),
        Value::Array(list) if (1..=MOST_TEXTS).contains(&list.len()) => Ok(list.len() as u64),
        Value::Array(list) => {
            let problem = format!("expected a list of 1 to {MOST_TEXTS} texts, found {}", list.len());
            Err(ErrorReply::out_of_range(field, &problem))
        }
        _ => Err(ErrorReply::wrong_type(field, "a string or a list")),
    }
}

/// Returns an integer within bounds; `None` if the field is absent or null.
fn whole(params: &Value, field: &'static str, least: u64, most: u64) -> Result<Option<u64>, ErrorReply> {
    match &params[field] {
        Value::Null => Ok(None),
        value => match value.as_u64() {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ if value.is_i64() || value.is_u64() => {
                let problem = format!("expected an integer from {least} to {most}, found {value}");
                Err(ErrorReply::out_of_range(field, &problem))
            }
            _ => Err(ErrorReply::wrong_type(field, "an integer")),
        },
    }
}

/// Returns a boolean; `false` if it is absent or null.
fn flag(value: &Value, field: &'static str) -> Result<bool, ErrorReply> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        _ => Err(ErrorReply::wrong_type(field, "a boolean")),
    }
}
