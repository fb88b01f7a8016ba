//! A client as plain as can be: it sends, and shows everything that came back.

use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Request, Response};

/// A reply, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: u16,
    /// The body, as it came.
    pub(crate) text: String,
    headers: HeaderMap,
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A header's text.
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
    // Of one's own, so that no connection is shared by accident; unusual methods are part of the tests.
    let agent: Agent =
        Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build().into();
    let request = request.body(body.to_owned()).expect("a sound request");
    let mut response: Response<ureq::Body> = agent.run(request).expect("a reply");
    let body = response.body_mut().with_config().limit(64 << 20);
    let text = body.read_to_string().expect("a body that is text");
    Reply { status: response.status().as_u16(), text, headers: response.headers().clone() }
}
