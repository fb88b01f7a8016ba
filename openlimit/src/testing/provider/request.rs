//! `ApiRequest`: what the body of a call asks for, and its charge.
//!
//! Only fields on which the reply depends are checked. A client is never refused for a parameter
//! that this provider does not know.

use serde_json::Value;

use super::charge::Charge;
use super::error_reply::ErrorReply;
use super::price::price;
use super::route::{Endpoint, Route};
use crate::Dimension;

/// The largest `n` that OpenAI's API reference allows.
const MOST_CHOICES: u64 = 128;
/// The most texts in one embeddings request that OpenAI's API reference allows.
const MOST_TEXTS: usize = 2_048;

/// The largest body in bytes: 16 MiB are some millions of tokens, more than any model accepts.
pub(super) const LARGEST_BODY: usize = 16 << 20;

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
    /// The tokens of the prompt.
    pub(super) prompt: u64,
    /// Those of them that the cache serves, which are not charged.
    pub(super) cached: u64,
    /// The largest output.
    pub(super) largest: u64,
}

/// Returns the tokens of a prompt, from the body of the call and the limiter's count.
pub(super) type CountPrompt = Box<dyn Fn(&[u8], u64) -> u64 + Send + Sync>;

/// How the provider counts, where that differs from the limiter.
pub(super) struct Counts {
    pub(super) prompt: CountPrompt,
    /// The share of each prompt that the cache serves, in percent.
    pub(super) cached: u8,
    pub(super) stream_usage: bool,
}

/// The format of embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vectors {
    pub(super) dimensions: usize,
    pub(super) base64: bool,
}

impl ApiRequest {
    /// Reads the body of a call.
    pub(super) fn read(route: &Route, body: &[u8], counts: &Counts) -> Result<Self, ErrorReply> {
        let endpoint = route.endpoint;
        let mut params: Value = serde_json::from_slice(body).map_err(|_| ErrorReply::unreadable())?;
        if !params.is_object() {
            return Err(ErrorReply::unreadable());
        }
        if let Some(model) = &route.model {
            params["model"] = Value::from(model.as_str());
        }
        let model = match &params["model"] {
            Value::String(model) if !model.is_empty() => model.clone(),
            Value::Null | Value::String(_) => return Err(ErrorReply::no_model()),
            _ => return Err(ErrorReply::wrong_type("model", "a string")),
        };
        let choices = whole(&params, "n", 1, MOST_CHOICES)?.unwrap_or(1);
        let (texts, maximum) = match endpoint {
            Endpoint::Chat => {
                messages(&params, "messages")?;
                let older = whole(&params, "max_tokens", 1, u64::MAX)?;
                (1, whole(&params, "max_completion_tokens", 1, u64::MAX)?.max(older))
            }
            Endpoint::Messages => {
                messages(&params, "messages")?;
                required(&params, "max_tokens")?;
                (1, whole(&params, "max_tokens", 1, u64::MAX)?)
            }
            Endpoint::Content => {
                messages(&params, "contents")?;
                (1, whole(&params["generationConfig"], "maxOutputTokens", 1, u64::MAX)?)
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
        let stream = route.streams || flag(&params["stream"], "stream")?;
        if stream && matches!(endpoint, Endpoint::Completion | Endpoint::Embedding) {
            return Err(ErrorReply::out_of_range("stream", "this provider does not stream them"));
        }
        let cost = price(endpoint, &params).map_err(|error| ErrorReply::params(&error))?;
        let ours = cost.amount(&Dimension::InputTokens);
        let prompt = (counts.prompt)(body, ours);
        Ok(Self {
            endpoint,
            model,
            answers,
            most: maximum,
            stream,
            stream_usage: counts.stream_usage && asks_for_usage(endpoint, &params)?,
            vectors: Vectors::read(&params)?,
            prompt,
            cached: u64::try_from(u128::from(prompt) * u128::from(counts.cached.min(100)) / 100).unwrap_or(0),
            largest: cost.amount(&Dimension::Tokens).saturating_sub(ours),
        })
    }

    /// Returns what to charge for the call if it puts out `output` tokens of the `reserved` ones.
    pub(super) fn charge(&self, reserved: u64, output: u64) -> Charge {
        let input = self.prompt - self.cached;
        Charge { tokens: input.saturating_add(reserved), input, output }
    }
}

/// Returns whether a stream has to end with the usage. Only chats have to ask for it.
fn asks_for_usage(endpoint: Endpoint, params: &Value) -> Result<bool, ErrorReply> {
    let asked = flag(&params["stream_options"]["include_usage"], "stream_options.include_usage")?;
    Ok(asked || endpoint != Endpoint::Chat)
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

/// Checks that a field is a list with something in it.
fn messages(params: &Value, field: &'static str) -> Result<(), ErrorReply> {
    match required(params, field)?.as_array() {
        Some(list) if !list.is_empty() => Ok(()),
        _ => Err(ErrorReply::wrong_type(field, "a list of one or more messages")),
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
