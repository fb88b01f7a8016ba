//! ureq (feature `ureq`).
//!
//! By default ureq turns a response with an error status into an error before a middleware sees it,
//! and its headers are lost with it: those that say how long to wait. So the middleware turns this
//! off for the request, and does it itself.

use std::io::{self, Read};

use ureq::http::request::Parts;
use ureq::http::{Method, Request, Response};
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::{AsSendBody, Body, Error, RequestExt, SendBody, Timeout};

use super::failed_call::{FailedCall, MOST_BODY};
use super::known_error::KnownError;
use super::layer::LimitLayer;
use super::observe::{observation, observe};
use super::outgoing::{Outgoing, is_json, says_json};
use super::part_read::PartRead;
use super::sent_call::SentCall;
use crate::AcquireError;
use crate::feedback::Observation;

/// ureq's errors, which have no source.
pub(super) const ERRORS: KnownError = KnownError {
    inner: |error| match error.downcast_ref()? {
        Error::Other(error) => Some(&**error),
        Error::Io(error) => Some(error),
        _ => None,
    },
    read: |error| match error.downcast_ref()? {
        Error::StatusCode(status) => Some(Observation::new(*status)),
        _ => None,
    },
};

impl LimitLayer {
    /// Sets whether ureq returns a response with an error status as an error, which is its default.
    ///
    /// A middleware cannot find out how the agent is configured. If your agent has
    /// `http_status_as_error(false)`, set it here, too. With both, ureq connects a little faster.
    /// Other clients ignore it.
    #[must_use]
    pub fn http_status_as_error(mut self, is_error: bool) -> Self {
        self.http_status_as_error = is_error;
        self
    }
}

/// For `ureq::config::ConfigBuilder::middleware`. The thread is blocked while the request waits.
///
/// The body of an error is read by a thread of its own, because a read that was begun cannot be
/// given up. If a server never ends an error, that thread ends when the connection does, or at the
/// agent's timeout, such as `timeout_recv_body`. While 64 of them are stuck, the bodies of errors
/// are not read, and the headers alone count.
///
/// JSON of a known length of up to 3 MiB is read before the response is passed on: only then does
/// ureq know its length, and parses it as a whole and not byte by byte. Streams are passed on at
/// once.
///
/// A request that is not admitted fails with `ureq::Error::Other`, which has the
/// [`AcquireError`]. See [`LimitLayer::http_status_as_error`].
impl Middleware for LimitLayer {
    fn handle(
        &self,
        request: Request<SendBody<'_>>,
        next: MiddlewareNext<'_>,
    ) -> Result<Response<Body>, Error> {
        let (head, body) = request.into_parts();
        let sent = SentBody::read(&head, body)?;
        let host = head.uri.host().unwrap_or_default();
        let path = head.uri.path();
        let outgoing = Outgoing::new(&head.method, host, path, &head.headers, &head.extensions, sent.bytes());
        let Some(acquire) = self.acquire(&outgoing).map_err(other)? else { return sent.pass(head, next) };
        let call = SentCall::new(acquire.blocking().map_err(other)?);
        let head = if self.http_status_as_error { with_statuses(head) } else { head };
        match sent.pass(head, next) {
            Ok(response) => self.answered(call, response),
            Err(error) => {
                call.failed(!is_unsent(&error));
                Err(error)
            }
        }
    }
}

/// The body of a request.
enum SentBody<'a> {
    /// The method has none, but ureq's own type may be needed.
    Nothing(SendBody<'a>),
    Json(Vec<u8>),
    Other(SendBody<'a>),
}

impl<'a> SentBody<'a> {
    fn read(head: &Parts, body: SendBody<'a>) -> io::Result<Self> {
        if !matches!(head.method, Method::POST | Method::PUT | Method::PATCH) {
            return Ok(Self::Nothing(body));
        }
        if !says_json(&head.headers) {
            return Ok(Self::Other(body));
        }
        let mut json = Vec::new();
        body.into_reader().read_to_end(&mut json)?;
        Ok(Self::Json(json))
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Nothing(_) => Some(&[]),
            Self::Json(json) => Some(json),
            Self::Other(_) => None,
        }
    }

    fn pass(self, head: Parts, next: MiddlewareNext<'_>) -> Result<Response<Body>, Error> {
        match self {
            Self::Json(json) => next.handle(Request::from_parts(head, json.as_slice().as_body())),
            Self::Nothing(body) | Self::Other(body) => next.handle(Request::from_parts(head, body)),
        }
    }
}

fn other(error: AcquireError) -> Error {
    Error::Other(Box::new(error))
}

/// Lets ureq return responses with an error status as responses. The configuration of a request is
/// in its head; if another middleware has replaced that, the request stays as it is.
///
/// ureq then sets up TLS for each new connection, and not once for the agent.
fn with_statuses(head: Parts) -> Parts {
    let configured = Request::from_parts(head.clone(), ()).middleware_config();
    configured.map_or(head, |config| config.http_status_as_error(false).build().into_parts().0)
}

/// Returns whether no connection was made, so that the request cannot have been sent.
fn is_unsent(error: &Error) -> bool {
    match error {
        Error::HostNotFound | Error::ConnectionFailed => true,
        Error::Timeout(at) => matches!(at, Timeout::Resolve | Timeout::Connect),
        Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

impl LimitLayer {
    /// Passes on the response to an admitted call.
    fn answered(&self, call: SentCall, response: Response<Body>) -> Result<Response<Body>, Error> {
        let Some(mut permit) = call.answered() else { return Ok(response) };
        let (head, body) = response.into_parts();
        let observation = observation(head.status, &head.headers);
        let info = BodyInfo::of(&body);
        let body = if observation.denial().is_some() {
            let call = FailedCall::new(permit, observation);
            let body = PartRead::read_within(body.into_reader(), MOST_BODY, call.longest_wait());
            call.note(body.start());
            if self.http_status_as_error && (head.status.is_client_error() || head.status.is_server_error()) {
                return Err(Error::StatusCode(head.status.as_u16()));
            }
            info.body(body)
        } else {
            observe(&mut permit, &observation);
            let reader = permit.wrap_read(body.into_reader());
            info.body(PartRead::read(reader, info.read_at_once()))
        };
        Ok(Response::from_parts(head, body))
    }
}

/// The longest JSON that is read before it is passed on, in bytes. Of a longer body, ureq's
/// `read_json` reads byte by byte anyway.
const MOST_JSON: u64 = 10 * 1024 * 1024 / 3;

/// The longest reply of any other type that is.
const MOST_OTHER: u64 = 64 * 1024;

/// What ureq knows of a body from its headers.
struct BodyInfo {
    mime_type: Option<String>,
    charset: Option<String>,
    length: Option<u64>,
}

impl BodyInfo {
    fn of(body: &Body) -> Self {
        let [mime_type, charset] = [body.mime_type(), body.charset()].map(|text| text.map(str::to_owned));
        Self { mime_type, charset, length: body.content_length() }
    }

    /// Returns how much of a reply is read before it is passed on: all of one that is known to be
    /// short, and nothing of a stream. Only a body in memory has a length for ureq.
    fn read_at_once(&self) -> usize {
        let most = match self.mime_type.as_deref() {
            Some("text/event-stream") => 0,
            Some(mime_type) if is_json(mime_type.as_bytes()) => MOST_JSON,
            _ => MOST_OTHER,
        };
        let length =
            self.length.filter(|length| *length <= most).and_then(|length| usize::try_from(length).ok());
        // The end is one more read.
        length.map_or(0, |length| length + 1)
    }

    fn body<R: Read + Send + Sync + 'static>(&self, start: PartRead<R>) -> Body {
        let mut builder = Body::builder();
        if let Some(mime_type) = &self.mime_type {
            builder = builder.mime_type(mime_type.as_str());
        }
        if let Some(charset) = self.charset.as_ref().filter(|_| !self.is_converted()) {
            builder = builder.charset(charset.as_str());
        }
        match start.into_whole() {
            Ok(whole) => builder.data(whole),
            Err(part) => builder.reader(part),
        }
    }

    /// Returns whether ureq has converted the body to UTF-8, which it must not do again.
    fn is_converted(&self) -> bool {
        let is_text = self.mime_type.as_ref().is_some_and(|mime_type| mime_type.starts_with("text/"));
        let is_utf8 = self.charset.as_ref().is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"));
        is_text && !is_utf8 && converts()
    }
}

/// Returns whether ureq converts texts to UTF-8: its feature `charset` may be on.
fn converts() -> bool {
    let latin = Body::builder().mime_type("text/plain").charset("iso-8859-1").data([0xe9]);
    let mut text = Vec::new();
    latin.into_reader().read_to_end(&mut text).is_ok_and(|length| length > 1)
}
