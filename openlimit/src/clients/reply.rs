//! The response to a limited request: what it says reaches the limiter, and it is passed on
//! unchanged.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::response::Parts;
use http_body::{Body, Frame, SizeHint};

use super::failed_call::{FailedCall, MOST_BODY};
use super::observe::{observation, observe};
use super::sent_call::SentCall;
use crate::WrappedBody;
use crate::time::Sleep;

/// The most pieces of an error's body that are read for the verdict. A server may send it byte by
/// byte, and a piece takes 100 bytes more than its data.
const MOST_FRAMES: usize = 128;

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
    Failed { seen: Seen<B::Data, B::Error>, rest: B },
}

type Seen<D, E> = VecDeque<Result<Frame<D>, E>>;

impl<B> LimitedBody<B>
where
    B: Body + Unpin,
    B::Data: AsRef<[u8]>,
{
    pub(super) fn untouched(body: B) -> Self {
        Self(Inner::Untouched(body))
    }

    /// Passes on the response to an admitted call. Of an error, the start of the body is awaited
    /// for a short time.
    pub(super) async fn answered(call: SentCall, head: &Parts, body: B) -> Self {
        let Some(mut permit) = call.answered() else { return Self::untouched(body) };
        let observation = observation(head.status, &head.headers);
        if observation.denial().is_some() {
            return Self::failed(FailedCall::new(permit, observation), body).await;
        }
        observe(&mut permit, &observation);
        Self(Inner::Wrapped(permit.wrap_body(body)))
    }

    async fn failed(call: FailedCall, mut body: B) -> Self {
        let mut sleep = Sleep::new(call.longest_wait());
        let mut start = Start { call: Some(call), seen: VecDeque::new(), length: 0 };
        while start.wants_more() && !body.is_end_stream() {
            let next = poll_fn(|cx| match Pin::new(&mut body).poll_frame(cx) {
                Poll::Pending => Pin::new(&mut sleep).poll(cx).map(|()| None),
                next => next,
            });
            match next.await {
                Some(frame) => start.push(frame),
                // The end, or too late: what is known now counts.
                None => break,
            }
        }
        Self(Inner::Failed { seen: start.judged(), rest: body })
    }
}

/// The start of an error, while it arrives. The call is judged by it, also if it is dropped.
struct Start<D: AsRef<[u8]>, E> {
    call: Option<FailedCall>,
    seen: Seen<D, E>,
    length: usize,
}

impl<D: AsRef<[u8]>, E> Start<D, E> {
    fn wants_more(&self) -> bool {
        let has_ended = matches!(self.seen.back(), Some(Err(_)));
        !has_ended && self.length < MOST_BODY && self.seen.len() < MOST_FRAMES
    }

    fn push(&mut self, frame: Result<Frame<D>, E>) {
        let data = frame.as_ref().ok().and_then(Frame::data_ref);
        self.length += data.map_or(0, |data| data.as_ref().len());
        self.seen.push_back(frame);
    }

    /// Lets the call be judged, and returns the frames.
    fn judged(mut self) -> Seen<D, E> {
        self.judge();
        mem::take(&mut self.seen)
    }

    fn judge(&mut self) {
        if let Some(call) = self.call.take() {
            call.note(&self.bytes());
        }
    }

    /// Returns the bytes. Most errors come in one piece, which is not copied.
    fn bytes(&self) -> Cow<'_, [u8]> {
        let data = self.seen.iter().flatten().filter_map(Frame::data_ref).map(AsRef::as_ref);
        let mut bytes = Cow::Borrowed(&[][..]);
        for piece in data {
            if bytes.is_empty() {
                bytes = Cow::Borrowed(piece);
            } else {
                let room = MOST_BODY.saturating_sub(bytes.len());
                bytes.to_mut().extend_from_slice(piece.get(..room).unwrap_or(piece));
            }
        }
        bytes
    }
}

impl<D: AsRef<[u8]>, E> Drop for Start<D, E> {
    fn drop(&mut self) {
        self.judge();
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
