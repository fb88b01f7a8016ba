//! `WrappedBody`: a body of HTTP that settles the call (feature `http`).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::super::Permit;
use super::Tap;

pin_project! {
    /// The body of a reply, with the permit of its call: see [`Permit::wrap_body`].
    #[derive(Debug)]
    #[must_use = "a body does nothing until it is read"]
    pub struct WrappedBody<B> {
        #[pin]
        body: B,
        tap: Tap,
    }
}

impl Permit {
    /// Moves the permit into the body of the reply, which settles it as it is read.
    ///
    /// It takes a body of any HTTP client that implements `http_body::Body`. The frames, their
    /// errors, the trailers and the size are those of `body`. [`Permit`] says when it is settled.
    ///
    /// The reader needs decoded bytes. If the body is compressed, wrap what decompresses it.
    ///
    /// ```
    /// use http_body_util::{BodyExt, Full};
    /// use openlimit::{Rate, RateLimiter};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().tokens(Rate::per_day(1_000)).build()?;
    /// let permit = limiter.try_acquire(500)?;
    /// let reply = br#"{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 12}}"#;
    /// permit.wrap_body(Full::new(&reply[..])).collect().await?;
    /// // 479 of the 500 are given back.
    /// assert!(limiter.status()?.limits[0].available > 970);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wrap_body<B: Body>(self, body: B) -> WrappedBody<B>
    where
        B::Data: AsRef<[u8]>,
    {
        let mut tap = Tap::new(self);
        // Clients do not read a body that has none, such as that of a 204.
        if has_ended(&body) {
            tap.end();
        }
        WrappedBody { body, tap }
    }
}

/// Returns true if no more data comes. Some bodies know that by their length only: those that
/// decompress, as reqwest's, do not pass on `is_end_stream`.
fn has_ended<B: Body>(body: &B) -> bool {
    body.is_end_stream() || body.size_hint().exact() == Some(0)
}

impl<B: Body> Body for WrappedBody<B>
where
    B::Data: AsRef<[u8]>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.tap.bytes(data.as_ref());
                }
                // Clients that know the length of the body do not ask for what comes after its end.
                if has_ended(&*this.body) {
                    this.tap.end();
                }
            }
            Some(Err(_)) => this.tap.break_off(),
            None => this.tap.end(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
