//! `Route`: the operation that a path names, and the key that a call sends.
//!
//! Paths of several providers are served, since a client cannot be given others. Some of them name
//! the model.

use super::error_reply::ErrorReply;

/// An operation that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Completion,
    Embedding,
    Responses,
    /// Anthropic's.
    Messages,
    /// Gemini's `generateContent`.
    Content,
}

/// The operation of a path.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    /// The model, if the path names it.
    pub(super) model: Option<String>,
    /// The path is of an operation that streams.
    pub(super) streams: bool,
}

impl Route {
    /// Reads a call's path, of which a query is ignored, its method and its key. Returns `None` for
    /// the list of models.
    ///
    /// `header` returns the value of a header.
    pub(super) fn read<'a>(
        method: &str,
        path: &str,
        key: Option<&str>,
        header: impl Fn(&str) -> Option<&'a [u8]>,
    ) -> Result<Option<Self>, ErrorReply> {
        let route = Self::of(path);
        if route.is_none() && path != "/v1/models" {
            return Err(ErrorReply::no_such_path(method, path));
        }
        let only = if route.is_some() { "POST" } else { "GET" };
        if method != only {
            return Err(ErrorReply::wrong_method(method, path, only));
        }
        if let Some(key) = key {
            let bearer = header("authorization").map(|value| value.strip_prefix(b"Bearer ").unwrap_or(b""));
            // Azure's, Anthropic's and Gemini's.
            let others = ["api-key", "x-api-key", "x-goog-api-key"].into_iter().find_map(header);
            let given = bearer.or(others).ok_or_else(ErrorReply::no_key)?;
            if given != key.as_bytes() {
                return Err(ErrorReply::wrong_key());
            }
        }
        Ok(route)
    }

    fn of(path: &str) -> Option<Self> {
        let openai = |operation: &str, model| {
            let endpoint = match operation {
                "chat/completions" => Endpoint::Chat,
                "completions" => Endpoint::Completion,
                "embeddings" => Endpoint::Embedding,
                "responses" => Endpoint::Responses,
                _ => return None,
            };
            Some(Self { endpoint, model, streams: false })
        };
        if let Some(rest) = path.strip_prefix("/openai/deployments/") {
            let (deployment, operation) = rest.split_once('/')?;
            return openai(operation, Some(deployment.to_owned()));
        }
        if let Some(rest) = path.strip_prefix("/v1beta/models/") {
            let (model, operation) = rest.split_once(':')?;
            let streams = match operation {
                "generateContent" => false,
                "streamGenerateContent" => true,
                _ => return None,
            };
            return Some(Self { endpoint: Endpoint::Content, model: Some(model.to_owned()), streams });
        }
        let operation = path.strip_prefix("/v1/").or_else(|| path.strip_prefix("/openai/v1/"))?;
        if operation == "messages" {
            return Some(Self { endpoint: Endpoint::Messages, model: None, streams: false });
        }
        openai(operation, None)
    }
}
