//! `ReadsBody`: kinds of limiter that read a cost from the bytes that are sent.
//!
//! Adapters of clients see a path and a body. The path says which grammar reads the body, and some
//! paths name the model, too. Only the end of a path counts, because gateways put the same paths
//! below their own. It is as long as it has to be to mean one kind: `/threads/{id}/messages` is no
//! request for an answer, and `/v1/messages` is.
//!
//! A kind whose requests can be told by their path is a row of [`reads_bodies!`].

use std::borrow::Cow;

use super::{Chat, Completion, Embedding, Explicit, GenerateContent, Messages, ReadsParams, Responses};
use crate::pricing::options::PriceOptions;
use crate::pricing::walk::{Body, Number, ValueReader, walk};
use crate::{Cost, ParamsError};

/// A kind of limiter that reads the cost of a call from the path and the body of its request.
pub trait ReadsBody {
    /// Returns `None` if the path says nothing of the body.
    #[doc(hidden)]
    fn read_body(path: &str, body: &[u8], options: &PriceOptions) -> Result<Option<Cost>, ParamsError>;
}

/// A kind of request that is known by its path.
struct Endpoint {
    kind: &'static str,
    /// The ends of its paths. A `*` stands for any text but a `/`.
    ends: &'static [&'static str],
    read: fn(&Body<'_>, &PriceOptions) -> Result<Cost, ParamsError>,
}

macro_rules! reads_bodies {
    ($($kind:ident: $($end:literal)|+;)+) => {
        /// All kinds. The first whose path fits counts.
        const ENDPOINTS: &[Endpoint] = &[$(
            Endpoint { kind: stringify!($kind), ends: &[$($end),+], read: |body, options| $kind::read(body, options) },
        )+];

        $(
            impl ReadsBody for $kind {
                fn read_body(
                    path: &str,
                    body: &[u8],
                    options: &PriceOptions,
                ) -> Result<Option<Cost>, ParamsError> {
                    match Endpoint::of(path) {
                        Some(other) if other.kind != stringify!($kind) => Err(other.elsewhere()),
                        _ => $kind::read(&of_request(path, body)?, options).map(Some),
                    }
                }
            }
        )+
    };
}

reads_bodies! {
    Chat: "/chat/completions" | "/agents/completions";
    Completion: "/completions" | "/v1/edits";
    Embedding: "/embeddings";
    Responses: "/responses";
    Messages: "/v1/messages" | "/anthropic/models/*:rawPredict" | "/anthropic/models/*:streamRawPredict";
    GenerateContent: ":generateContent" | ":streamGenerateContent";
}

impl ReadsBody for Explicit {
    fn read_body(path: &str, body: &[u8], options: &PriceOptions) -> Result<Option<Cost>, ParamsError> {
        let Some(endpoint) = Endpoint::of(path) else { return Ok(None) };
        (endpoint.read)(&of_request(path, body)?, options).map(Some)
    }
}

impl Endpoint {
    fn of(path: &str) -> Option<&'static Self> {
        let path = trimmed(path);
        ENDPOINTS.iter().find(|endpoint| endpoint.ends.iter().any(|end| ends_with(path, end)))
    }

    /// Returns the error of a limiter of another kind.
    #[cold]
    fn elsewhere(&self) -> ParamsError {
        let Self { kind, ends, .. } = self;
        ParamsError::new(
            "path",
            format!(
                "found a path that ends with `{}`; use the type `{kind}RateLimiter`, or `RateLimiter`, which \
                 takes requests of all kinds",
                ends.join("` or `")
            ),
        )
    }
}

/// Returns the error of a path that says nothing of the body.
#[cold]
pub(crate) fn unknown_path() -> ParamsError {
    let ends: Vec<_> = ENDPOINTS.iter().flat_map(|endpoint| endpoint.ends).copied().collect();
    ParamsError::new(
        "path",
        format!(
            "expected a path that ends with `{}`; use a limiter of one kind, such as a `ChatRateLimiter`, or \
             give the cost",
            ends.join("`, `")
        ),
    )
}

/// Returns the body of a request, with the model that the path names.
fn of_request<'a>(path: &'a str, body: &'a [u8]) -> Result<Body<'a>, ParamsError> {
    match str::from_utf8(body) {
        Ok(json) => Ok(Body { json, model: model(path) }),
        Err(_) => Err(ParamsError::new("body", "expected JSON, found bytes that are not UTF-8")),
    }
}

/// Returns the model in a path: `/openai/deployments/{model}/..` (Azure), `/v1/engines/{model}/..`,
/// `/v1beta/models/{model}:..` (Gemini).
fn model(path: &str) -> Option<&str> {
    const BEFORE: [&str; 3] = ["/deployments/", "/engines/", "/models/"];
    let (_, rest) = BEFORE.iter().find_map(|before| path.split_once(before))?;
    let end = rest.find(['/', ':', '?', '#']).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|model| !model.is_empty())
}

/// Returns whether a path ends with this pattern.
pub(super) fn ends_with(path: &str, end: &str) -> bool {
    if path.ends_with(end) {
        return true;
    }
    // Faster than `split_once`, and each request is compared with each pattern.
    let Some(at) = end.bytes().position(|byte| byte == b'*') else { return false };
    let (before, after) = (&end[..at], &end[at + 1..]);
    let Some(path) = path.strip_suffix(after) else { return false };
    let any = path.rfind('/').map_or(0, |slash| slash + 1);
    any < path.len() && path[..any].ends_with(before)
}

/// Returns the path without its query.
pub(super) fn trimmed(path: &str) -> &str {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    path[..end].trim_end_matches('/')
}

/// Returns the model that a request names: in its body, or in its path.
#[cfg_attr(not(feature = "clients"), allow(dead_code, reason = "adapters use it"))]
pub(crate) fn model_of_body<'a>(path: &'a str, body: &'a [u8]) -> Option<Cow<'a, str>> {
    let mut reader = ModelReader(None);
    if let Ok(json) = str::from_utf8(body) {
        // Only a value's own `Serialize` can fail, and JSON's does not.
        let _ = walk(&mut reader, ModelPlace::Request, &Body { json, model: None });
    }
    reader.0.map(Cow::Owned).or_else(|| model(path).map(Cow::Borrowed))
}

/// Reads the name of the model, and nothing else.
struct ModelReader(Option<String>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum ModelPlace {
    Request,
    Model,
}

impl ValueReader for ModelReader {
    type Place = ModelPlace;

    fn field(&mut self, at: &mut ModelPlace, key: &str) -> Option<ModelPlace> {
        (*at == ModelPlace::Request && key == "model").then_some(ModelPlace::Model)
    }

    fn item(&mut self, _: &mut ModelPlace) -> Option<ModelPlace> {
        None
    }

    fn map(&mut self, _: ModelPlace) {}

    fn list(&mut self, _: ModelPlace) {}

    fn null(&mut self, _: ModelPlace) {}

    fn boolean(&mut self, _: ModelPlace) {}

    fn number(&mut self, _: ModelPlace, _: Number) {}

    fn text(&mut self, at: ModelPlace, text: &str) {
        if at == ModelPlace::Model {
            self.0 = Some(text.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_their_kind() {
        for (path, kind) in [
            ("/v1/chat/completions", Some("Chat")),
            ("/chat/completions/", Some("Chat")),
            ("/openai/deployments/d/chat/completions?api-version=2024-10-21", Some("Chat")),
            ("https://openrouter.ai/api/v1/chat/completions", Some("Chat")),
            ("/v1/agents/completions", Some("Chat")),
            ("/v1/completions", Some("Completion")),
            ("/v1/embeddings", Some("Embedding")),
            ("/v1/responses", Some("Responses")),
            ("/v1/messages", Some("Messages")),
            ("https://gateway.example/anthropic/v1/messages/?beta=true", Some("Messages")),
            (
                "/v1/projects/p/publishers/anthropic/models/claude-sonnet-4@20250514:rawPredict",
                Some("Messages"),
            ),
            ("/v1/projects/p/publishers/mistralai/models/mistral-small:rawPredict", None),
            ("/v1/projects/p/publishers/anthropic/models/:rawPredict", None),
            ("/v1/projects/p/endpoints/anthropic/models/a/b:rawPredict", None),
            ("/v1/threads/thread_abc/messages", None),
            ("/v1/threads/thread_abc/runs", None),
            ("/v1/messages/batches", None),
            ("/v1/edits", Some("Completion")),
            ("/v1/images/edits", None),
            ("/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", Some("GenerateContent")),
            ("/v1/responses/resp_1", None),
            ("/v1/models?next=/v1/embeddings", None),
            ("", None),
        ] {
            assert_eq!(Endpoint::of(path).map(|endpoint| endpoint.kind), kind, "{path}");
        }
    }

    #[test]
    fn some_paths_name_the_model() {
        for (path, expected) in [
            ("/openai/deployments/gpt-4/chat/completions", Some("gpt-4")),
            ("/v1/engines/davinci/completions", Some("davinci")),
            ("/v1beta/models/gemini-2.5-pro:generateContent", Some("gemini-2.5-pro")),
            ("/v1/models/gpt-4o?x", Some("gpt-4o")),
            ("/deployments//chat/completions", None),
            ("/v1/chat/completions", None),
        ] {
            assert_eq!(model(path), expected, "{path}");
        }
    }
}
