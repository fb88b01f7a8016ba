//! The requests and responses of reqwest, which reqwest-middleware and async-openai pass on.

use std::error::Error;

use http::Extensions;
use reqwest::{Body, Request, Response, ResponseBuilderExt};

use super::known_error::KnownError;
use super::outgoing::Outgoing;
use super::reply::LimitedBody;
use super::sent_call::SentCall;
use crate::feedback::Observation;

/// reqwest's own errors. Their messages contain URLs, so only the status counts.
pub(super) const ERRORS: KnownError = KnownError {
    inner: |_| None,
    read: |error| {
        let error: &reqwest::Error = error.downcast_ref()?;
        Some(Observation::new(error.status().map_or(0, |status| status.as_u16())))
    },
};

/// Returns the view of a request.
pub(super) fn outgoing<'a>(request: &'a Request, extensions: &'a Extensions) -> Outgoing<'a> {
    let url = request.url();
    let body = match request.body() {
        Some(body) => body.as_bytes(),
        None => Some(&[][..]),
    };
    let host = url.host_str().unwrap_or_default();
    Outgoing::new(request.method(), host, url.path(), request.headers(), extensions, body)
}

/// Passes on the response to an admitted call.
pub(super) async fn answered(call: SentCall, response: Response) -> Response {
    let url = response.url().clone();
    let (mut head, body) = http::Response::<Body>::from(response).into_parts();
    let body = LimitedBody::answered(call, &head, body).await;
    // reqwest keeps the URL beside the response, and expects it as an extension.
    if let Ok(with_url) = http::Response::builder().url(url).body(()) {
        head.extensions.extend(with_url.into_parts().0.extensions);
    }
    Response::from(http::Response::from_parts(head, Body::wrap(body)))
}

/// Returns true if a request failed before it was sent.
pub(super) fn is_unsent(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref().is_some_and(reqwest::Error::is_connect)
}
