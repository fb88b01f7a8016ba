//! `Outgoing`: a request that a client is about to send, as far as it decides about limits.

use std::borrow::Cow;
use std::fmt;

use http::header::CONTENT_TYPE;
use http::{Extensions, HeaderMap, HeaderValue, Method};

use crate::kind::{has_other_limits, model_of_body};

/// A request that a client is about to send.
///
/// [`LimitLayer::choose`](super::LimitLayer::choose) shows it to a function that returns the
/// limiter.
pub struct Outgoing<'a> {
    method: &'a Method,
    host: &'a str,
    path: &'a str,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
    body: Option<&'a [u8]>,
}

impl<'a> Outgoing<'a> {
    /// Creates a view of a request. `body` is `None` if it is not in memory.
    #[must_use]
    pub fn new(
        method: &'a Method,
        host: &'a str,
        path: &'a str,
        headers: &'a HeaderMap,
        extensions: &'a Extensions,
        body: Option<&'a [u8]>,
    ) -> Self {
        Self { method, host, path, headers, extensions, body }
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// Returns the host of the URL; empty if it has none.
    #[must_use]
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// Returns the path of the URL, without the query.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// Returns the headers, as far as they are set already.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// Returns the extensions, which carry what the program adds to a request for its own use.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// Returns the body; `None` if it is not in memory, because it is written while it is sent.
    #[must_use]
    pub fn body(&self) -> Option<&'a [u8]> {
        self.body
    }

    /// Returns the model that the request names in its body or in its path.
    ///
    /// It reads the body, in linear time, but no text in it.
    #[must_use]
    pub fn model(&self) -> Option<Cow<'a, str>> {
        model_of_body(self.path, self.body.unwrap_or_default())
    }

    /// Returns whether the request counts against the limits of a model: if it sends JSON, and asks
    /// for more than a count or a place in a store.
    pub(super) fn counts(&self) -> bool {
        let sends_json =
            says_json(self.headers) && self.body.is_none_or(|body| !body.trim_ascii().is_empty());
        sends_json && !has_other_limits(self.path)
    }
}

/// Returns whether the content type is that of JSON: `application/json; charset=utf-8`,
/// `application/vnd.api+json`.
pub(super) fn says_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|kind| is_json(kind.split(|byte| *byte == b';').next().unwrap_or_default()))
}

/// Returns whether a content type without parameters is that of JSON.
pub(super) fn is_json(kind: &[u8]) -> bool {
    let kind = kind.trim_ascii();
    let end = kind.len().checked_sub(b"json".len()).map(|at| kind.split_at(at));
    end.is_some_and(|(before, end)| {
        end.eq_ignore_ascii_case(b"json") && matches!(before.last(), Some(b'/' | b'+'))
    })
}

/// Shows no header and no body, which may be secret.
impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("method", &self.method)
            .field("host", &self.host)
            .field("bytes", &self.body.map(<[u8]>::len))
            .finish_non_exhaustive()
    }
}
