//! A minimal HTTP client that returns the whole reply.

use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Request, Response};

/// A reply with any status.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: u16,
    /// The body, unchanged.
    pub(crate) text: String,
    headers: HeaderMap,
}

impl Reply {
    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Returns the text of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Posts JSON.
pub(crate) fn post(url: &str, body: &Value) -> Reply {
    send(Request::post(url).header("content-type", "application/json"), &body.to_string())
}

/// Sends any request.
pub(crate) fn send(request: ureq::http::request::Builder, body: &str) -> Reply {
    // Each request has its own agent, so that requests never share a connection. The tests also
    // send non-standard methods.
    let agent: Agent =
        Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build().into();
    let request = request.body(body.to_owned()).expect("invalid request");
    let mut response: Response<ureq::Body> = agent.run(request).expect("no reply");
    let body = response.body_mut().with_config().limit(64 << 20);
    let text = body.read_to_string().expect("body is not text");
    Reply { status: response.status().as_u16(), text, headers: response.headers().clone() }
}
