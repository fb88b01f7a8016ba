//! `ProviderReply`: a status, headers and a body, and when they come.
//!
//! It is complete as soon as the call is decided. Whoever asked passes the time: the server sleeps,
//! and a simulation moves its clock.

use std::time::Duration;

use super::answer::Answer;
use super::dialect::{Dialect, Headers};
use super::error_reply::ErrorReply;

/// The reply to a call. Returned by
/// [`ProviderModel::answer`](crate::testing::ProviderModel::answer).
#[derive(Clone, Debug)]
pub struct ProviderReply {
    status: u16,
    headers: Headers,
    body: String,
    head_after: Duration,
    body_after: Duration,
    is_cut: bool,
}

impl ProviderReply {
    /// Returns the status: 200, or that of an error.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the headers, with names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find_map(|(given, value)| (given == name).then_some(value))
    }

    /// Returns the body. If the reply [is cut](Self::is_cut), it is the part that is sent.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body.as_bytes()
    }

    /// Returns the time from the call until the status and the headers arrive.
    #[must_use]
    pub fn head_after(&self) -> Duration {
        self.head_after
    }

    /// Returns the time from the call until the end of the body arrives.
    #[must_use]
    pub fn body_after(&self) -> Duration {
        self.body_after
    }

    /// Returns true if the connection is reset in the middle of the body.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Creates a reply that comes at once.
    pub(super) fn new(status: u16, content_type: &str, body: String) -> Self {
        let headers = vec![("content-type".into(), content_type.into())];
        let at_once = Duration::ZERO;
        Self { status, headers, body, head_after: at_once, body_after: at_once, is_cut: false }
    }

    pub(super) fn error(error: &ErrorReply, dialect: Dialect) -> Self {
        let content_type = if error.is_plain { "text/plain" } else { "application/json" };
        let reply = Self::new(error.status, content_type, error.body(dialect));
        let reply = reply.with(error.allowed.map(|method| ("allow".into(), method.into())));
        reply.with(error.wait.into_iter().flat_map(|wait| dialect.wait(wait)))
    }

    pub(super) fn with(mut self, headers: impl IntoIterator<Item = (String, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Sends the head after `head`, and the body after `body` more.
    pub(super) fn after(self, head: Duration, body: Duration) -> Self {
        Self { head_after: head, body_after: head.saturating_add(body), ..self }
    }

    /// Cuts the connection after the first half of the body.
    pub(super) fn cut(mut self) -> Self {
        let half = (0..=self.body.len() / 2).rev().find(|at| self.body.is_char_boundary(*at));
        self.body.truncate(half.unwrap_or(0));
        self.is_cut = true;
        self
    }
}

impl From<Answer> for ProviderReply {
    fn from(answer: Answer) -> Self {
        Self::new(200, answer.content_type, answer.body)
    }
}
