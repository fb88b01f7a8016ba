//! `HttpReply`: a status, headers and a body, and when to send them.
//!
//! The judge creates it and the server sends it. The judge must not sleep, since other calls wait
//! for it, so the reply carries its delay and what to charge when it is sent.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::account::Standing;
use super::answer::Answer;
use super::error_reply::{ErrorReply, go_duration};

/// A reply to a call.
#[derive(Debug)]
pub(super) struct HttpReply {
    pub(super) status: StatusCode,
    pub(super) delay: Duration,
    /// The tokens that were charged, and the tokens to charge instead when it is sent.
    pub(super) correction: (u64, u64),
    headers: HeaderMap,
    body: String,
}

impl HttpReply {
    /// Adds the state of the limits: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`.
    pub(super) fn with_standings(mut self, standings: &[Standing]) -> Self {
        for Standing { dimension, limit, remaining, reset } in standings {
            self.put(&format!("x-ratelimit-limit-{dimension}"), &limit.to_string());
            self.put(&format!("x-ratelimit-remaining-{dimension}"), &remaining.to_string());
            self.put(&format!("x-ratelimit-reset-{dimension}"), &go_duration(*reset));
        }
        self
    }

    /// Sends it `delay` later.
    pub(super) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Charges `used` tokens instead of `charged` when it is sent.
    pub(super) fn correcting(self, charged: u64, used: u64) -> Self {
        Self { correction: (charged, used), ..self }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    fn new(status: StatusCode, content_type: &'static str, body: String) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
        Self { status, delay: Duration::ZERO, correction: (0, 0), headers, body }
    }

    /// Adds a header. Its name and value come from this module and are always valid.
    fn put(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            self.headers.insert(name, value);
        }
    }
}

impl From<Answer> for HttpReply {
    fn from(answer: Answer) -> Self {
        Self::new(StatusCode::OK, answer.content_type, answer.body)
    }
}

impl From<ErrorReply> for HttpReply {
    /// Adds `retry-after` in whole seconds and `retry-after-ms`, both rounded up, if waiting helps.
    fn from(error: ErrorReply) -> Self {
        let mut reply = Self::new(error.status, "application/json", error.body().to_string());
        if let Some(wait) = error.wait {
            reply.put("retry-after", &wait.as_nanos().div_ceil(1_000_000_000).to_string());
            reply.put("retry-after-ms", &wait.as_nanos().div_ceil(1_000_000).to_string());
        }
        if let Some(method) = error.allowed {
            reply.put("allow", method);
        }
        reply
    }
}
