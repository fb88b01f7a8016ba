//! `Reply`: a status, headers and a body, and how much later to send them.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::answer::Answer;
use super::complaint::{Complaint, go_duration};
use super::ledger::Standing;

/// What is sent back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) delay: Duration,
    /// The tokens that were charged, and those to charge instead when it is sent.
    pub(super) correction: (u64, u64),
    headers: HeaderMap,
    body: String,
}

impl Reply {
    /// Adds where the limits stand: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`.
    pub(super) fn with_standings(mut self, standings: &[Standing]) -> Self {
        for Standing { dimension, limit, remaining, reset } in standings {
            self.put(&format!("x-ratelimit-limit-{dimension}"), &limit.to_string());
            self.put(&format!("x-ratelimit-remaining-{dimension}"), &remaining.to_string());
            self.put(&format!("x-ratelimit-reset-{dimension}"), &go_duration(*reset));
        }
        self
    }

    /// Has it sent `delay` later.
    pub(super) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Has the call charged `used` tokens in place of `charged` when it is sent.
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

    /// Adds a header, whose name and value are of our own making and so always sound.
    fn put(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            self.headers.insert(name, value);
        }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::new(StatusCode::OK, answer.content_type, answer.body)
    }
}

impl From<Complaint> for Reply {
    /// With `retry-after` in whole seconds and `retry-after-ms`, both rounded up, where waiting helps.
    fn from(complaint: Complaint) -> Self {
        let mut reply = Self::new(complaint.status, "application/json", complaint.body().to_string());
        if let Some(wait) = complaint.wait {
            reply.put("retry-after", &wait.as_nanos().div_ceil(1_000_000_000).to_string());
            reply.put("retry-after-ms", &wait.as_nanos().div_ceil(1_000_000).to_string());
        }
        if let Some(method) = complaint.allowed {
            reply.put("allow", method);
        }
        reply
    }
}
