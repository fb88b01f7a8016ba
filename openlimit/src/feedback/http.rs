//! Responses of the crate `http`, which most HTTP clients of Rust share (feature `http`).
//!
//! The reader itself knows no type of HTTP, so this is all that there is.

use std::borrow::Cow;

use http::{HeaderMap, Response};

use super::observation::Observation;
use super::refusal::Refusal;

impl Observation {
    /// Reads all headers of a map, like [`header`](Self::header).
    #[must_use]
    pub fn headers(mut self, headers: &HeaderMap) -> Self {
        for (name, value) in headers {
            self.read_header(name.as_ref(), value.as_ref());
        }
        self.judge();
        self
    }
}

/// Reads a response.
impl<B: AsRef<[u8]>> From<&Response<B>> for Observation {
    fn from(response: &Response<B>) -> Self {
        Self::from_parts(response.status().as_u16(), response.headers(), response.body().as_ref())
    }
}

/// The form of a response.
#[derive(Debug)]
pub enum Responded {}

impl<B: AsRef<[u8]>> Refusal<Responded> for &Response<B> {
    fn observation(&self) -> Cow<'_, Observation> {
        Cow::Owned(Observation::from(*self))
    }
}
