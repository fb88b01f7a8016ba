//! `SentBody`: the body of a reply on its way through the network.
//!
//! It comes after its head, and may end in the middle.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// A body.
#[derive(Debug)]
pub(super) struct SentBody {
    after: Option<Pin<Box<Sleep>>>,
    data: Bytes,
    end: End,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Complete,
    /// The connection is reset.
    Cut,
    /// The same, once the data has been written to the connection.
    CutNext,
}

impl SentBody {
    /// Creates a body that is sent in some time.
    pub(super) fn new(data: Bytes, after: Duration, is_cut: bool) -> Self {
        let after = (!after.is_zero()).then(|| Box::pin(sleep(after)));
        Self { after, data, end: if is_cut { End::Cut } else { End::Complete } }
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(after) = &mut self.after {
            if after.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.after = None;
        }
        if !self.data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))));
        }
        match self.end {
            End::Complete => Poll::Ready(None),
            End::Cut => {
                // hyper writes what it has while it waits for more.
                self.end = End::CutNext;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            End::CutNext => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.end == End::Complete
    }

    fn size_hint(&self) -> SizeHint {
        if self.end == End::Complete {
            SizeHint::with_exact(self.data.len() as u64)
        } else {
            // A client must not take it for complete.
            SizeHint::default()
        }
    }
}
