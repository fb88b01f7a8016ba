//! The response to a limited request: what it says reaches the limiter, and it is passed on
//! unchanged.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::response::Parts;
use http_body::{Body, Frame, SizeHint};

use super::failed_call::FailedCall;
use super::observe::{observation, observe};
use crate::time::Sleep;
use crate::{Permit, WrappedBody};

/// The most pieces of an error's body that are read for the verdict. A server may send it byte by
/// byte.
const MOST_FRAMES: usize = 1_024;

/// The body of the response to a limited request. It has the same frames, errors and trailers as
/// the body of the client.
#[must_use = "a body does nothing until it is read"]
pub struct LimitedBody<B: Body>(Inner<B>);

enum Inner<B: Body> {
    /// The request passed without a limiter.
    Untouched(B),
    /// It settles the call while it is read.
    Wrapped(WrappedBody<B>),
    /// The frames of an error that were read for the verdict, and the rest.
    Failed { seen: VecDeque<Result<Frame<B::Data>, B::Error>>, rest: B },
}

impl<B> LimitedBody<B>
where
    B: Body + Unpin,
    B::Data: AsRef<[u8]>,
{
    #[cfg_attr(not(feature = "tower"), allow(dead_code, reason = "others return their client's body"))]
    pub(super) fn untouched(body: B) -> Self {
        Self(Inner::Untouched(body))
    }

    /// Passes on the response to an admitted call. Of an error, the start of the body is awaited
    /// for a short time.
    pub(super) async fn answered(mut permit: Permit, head: &Parts, body: B) -> Self {
        let observation = observation(head.status, &head.headers);
        if observation.denial().is_some() {
            return Self::failed(FailedCall::new(permit, observation), body).await;
        }
        observe(&mut permit, &observation);
        Self(Inner::Wrapped(permit.wrap_body(body)))
    }

    async fn failed(mut call: FailedCall, mut body: B) -> Self {
        let mut seen = VecDeque::new();
        let mut sleep = Sleep::new(call.longest_wait());
        let mut goes_on = true;
        while goes_on && !body.is_end_stream() {
            let next = poll_fn(|cx| match Pin::new(&mut body).poll_frame(cx) {
                Poll::Pending => Pin::new(&mut sleep).poll(cx).map(|()| None),
                next => next,
            });
            match next.await {
                Some(frame) => {
                    goes_on = match &frame {
                        Ok(frame) => frame.data_ref().is_none_or(|data| call.read(data.as_ref())),
                        Err(_) => false,
                    };
                    seen.push_back(frame);
                    goes_on &= seen.len() < MOST_FRAMES;
                }
                // The end, or too late: what is known now counts.
                None => goes_on = false,
            }
        }
        Self(Inner::Failed { seen, rest: body })
    }
}

// Frames are never pinned.
impl<B: Body + Unpin> Unpin for LimitedBody<B> {}

impl<B> Body for LimitedBody<B>
where
    B: Body + Unpin,
    B::Data: AsRef<[u8]>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match &mut self.get_mut().0 {
            Inner::Untouched(body) => Pin::new(body).poll_frame(cx),
            Inner::Wrapped(body) => Pin::new(body).poll_frame(cx),
            Inner::Failed { seen, rest } => match seen.pop_front() {
                Some(frame) => Poll::Ready(Some(frame)),
                None if rest.is_end_stream() => Poll::Ready(None),
                None => Pin::new(rest).poll_frame(cx),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Untouched(body) => body.is_end_stream(),
            Inner::Wrapped(body) => body.is_end_stream(),
            Inner::Failed { seen, rest } => seen.is_empty() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Untouched(body) => body.size_hint(),
            Inner::Wrapped(body) => body.size_hint(),
            Inner::Failed { seen, rest } => {
                let data = seen.iter().flatten().filter_map(Frame::data_ref);
                let seen: u64 = data.map(|data| data.as_ref().len() as u64).sum();
                let rest = rest.size_hint();
                let mut hint = SizeHint::new();
                hint.set_lower(rest.lower().saturating_add(seen));
                if let Some(upper) = rest.upper() {
                    hint.set_upper(upper.saturating_add(seen));
                }
                hint
            }
        }
    }
}

impl<B: Body> fmt::Debug for LimitedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitedBody").finish_non_exhaustive()
    }
}
