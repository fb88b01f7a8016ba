//! `Request`: what a body asks for, read once, and what it is charged.
//!
//! Only what a reply depends on is checked, so that a client is never refused for a parameter that this
//! provider has not heard of.

use serde_json::Value;

use super::complaint::Complaint;
use crate::kind::Pricing;
use crate::{Cost, Dimension, ParamsError, tokens};

/// Output tokens charged to a request that names no maximum: what OpenAI itself appears to reserve.
const DEFAULT_OUTPUT: u64 = 16;

/// OpenAI's bounds on `n`, and on the texts of one request.
const MOST_CHOICES: u64 = 128;
const MOST_TEXTS: usize = 2_048;

/// The operations that are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Completion,
    Embedding,
    Responses,
}

/// A request that can be answered.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) endpoint: Endpoint,
    pub(super) model: String,
    /// The texts asked for: `n` for each prompt, or one vector for each input.
    pub(super) answers: u64,
    /// The most tokens for each answer, if it says.
    pub(super) most: Option<u64>,
    pub(super) stream: bool,
    /// Whether the stream ends with the usage.
    pub(super) stream_usage: bool,
    pub(super) vectors: Vectors,
    pub(super) cost: Cost,
}

/// How embeddings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vectors {
    pub(super) dimensions: usize,
    pub(super) base64: bool,
}

impl Endpoint {
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/chat/completions" => Self::Chat,
            "/v1/completions" => Self::Completion,
            "/v1/embeddings" => Self::Embedding,
            "/v1/responses" => Self::Responses,
            _ => return None,
        })
    }

    /// The one price of every call. It is the limiter's count on purpose: what a provider charges is taken as
    /// known here, and whether it is kept to is what this provider is for.
    fn price(self, params: &Value) -> Result<Cost, ParamsError> {
        let pricing = Pricing { default_output: DEFAULT_OUTPUT, ..Pricing::default() };
        match self {
            Self::Chat => tokens::price_chat(params, pricing),
            Self::Completion => tokens::price_completion(params, pricing),
            Self::Embedding => tokens::price_embedding(params, pricing),
            Self::Responses => tokens::price_responses(params, pricing),
        }
    }
}

impl Request {
    pub(super) fn read(endpoint: Endpoint, body: &[u8]) -> Result<Self, Complaint> {
        let params: Value = serde_json::from_slice(body).map_err(|_| Complaint::unreadable())?;
        if !params.is_object() {
            return Err(Complaint::unreadable());
        }
        let model = match &params["model"] {
            Value::String(model) if !model.is_empty() => model.clone(),
            Value::Null | Value::String(_) => return Err(Complaint::no_model()),
            _ => return Err(Complaint::wrong_type("model", "a string")),
        };
        let choices = whole(&params, "n", 1, MOST_CHOICES)?.unwrap_or(1);
        let (texts, maximum) = match endpoint {
            Endpoint::Chat => {
                let messages = required(&params, "messages")?.as_array();
                if messages.is_none_or(Vec::is_empty) {
                    return Err(Complaint::wrong_type("messages", "a list of one or more messages"));
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
            return Err(Complaint::out_of_range("n", "more answers than one request may ask for"));
        }
        let stream = flag(&params["stream"], "stream")?;
        if stream && endpoint != Endpoint::Chat {
            return Err(Complaint::out_of_range(
                "stream",
                "only chat completions are streamed by this provider",
            ));
        }
        Ok(Self {
            endpoint,
            model,
            answers,
            most: maximum,
            stream,
            stream_usage: flag(&params["stream_options"]["include_usage"], "stream_options.include_usage")?,
            vectors: Vectors::read(&params)?,
            cost: endpoint.price(&params).map_err(|error| Complaint::params(&error))?,
        })
    }

    pub(super) fn prompt_tokens(&self) -> u64 {
        self.cost.amount(&Dimension::InputTokens)
    }

    /// What is charged: the prompt, and the most that the answers may come to.
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
    /// That of `text-embedding-3-small`, and of `text-embedding-3-large` the most.
    const DEFAULT: u64 = 1_536;
    const MOST: u64 = 3_072;

    fn read(params: &Value) -> Result<Self, Complaint> {
        let dimensions = whole(params, "dimensions", 1, Self::MOST)?.unwrap_or(Self::DEFAULT);
        Ok(Self {
            dimensions: usize::try_from(dimensions).unwrap_or(1),
            base64: params["encoding_format"] == "base64",
        })
    }
}

fn required<'a>(params: &'a Value, field: &'static str) -> Result<&'a Value, Complaint> {
    match &params[field] {
        Value::Null => Err(Complaint::missing(field)),
        value => Ok(value),
    }
}

/// How many texts `field` holds: a text, the numbers of its tokens, or a list of either.
fn texts(params: &Value, field: &'static str) -> Result<u64, Complaint> {
    match required(params, field)? {
        Value::String(_) => Ok(1),
        Value::Array(list) if list.first().is_some_and(Value::is_number) => Ok(1),
        Value::Array(list) if (1..=MOST_TEXTS).contains(&list.len()) => Ok(list.len() as u64),
        Value::Array(_) => Err(Complaint::out_of_range(field, "a list holds 1 to 2048 texts")),
        _ => Err(Complaint::wrong_type(field, "a string or a list")),
    }
}

/// A whole number within bounds, or nothing.
fn whole(params: &Value, field: &'static str, least: u64, most: u64) -> Result<Option<u64>, Complaint> {
    match &params[field] {
        Value::Null => Ok(None),
        value => match value.as_u64() {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ if value.is_i64() || value.is_u64() => {
                Err(Complaint::out_of_range(field, &format!("it lies within {least} and {most}")))
            }
            _ => Err(Complaint::wrong_type(field, "an integer")),
        },
    }
}

fn flag(value: &Value, field: &'static str) -> Result<bool, Complaint> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        _ => Err(Complaint::wrong_type(field, "a boolean")),
    }
}
