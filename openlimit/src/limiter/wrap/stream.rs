//! `WrappedStream`: a stream that settles the call (feature `stream`).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::FusedStream;
use pin_project_lite::pin_project;

use super::super::Permit;
use super::Tap;
use super::shapes::StreamBytes;
#[cfg(feature = "tokenizers")]
use super::shapes::StreamItem;

pin_project! {
    /// The stream of a reply, with the permit of its call: see [`Permit::wrap`].
    #[derive(Debug)]
    #[must_use = "a stream does nothing until it is polled"]
    pub struct WrappedStream<S: Stream> {
        #[pin]
        stream: S,
        tap: Tap,
        // Shows an item to the tap. So the type need not say what the items are.
        show: fn(&mut Tap, &S::Item),
    }
}

impl Permit {
    /// Moves the permit into the bytes of a reply, which settle it as they are read.
    ///
    /// The items of the stream are bytes (anything that is `AsRef<[u8]>`), or results of bytes, and
    /// pass unchanged. The bytes may be split anywhere. They are server-sent events, lines of JSON,
    /// JSON, or events of AWS, and must not be compressed. [`Permit`] says when it is settled.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    /// use openlimit::{Rate, RateLimiter};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().tokens(Rate::per_day(1_000)).build()?;
    /// let permit = limiter.try_acquire(500)?;
    /// let reply = stream::iter([
    ///     "data: {\"choices\": [{\"delta\": {}, \"finish_reason\": \"stop\"}]}\n\n",
    ///     "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 9, \"completion_tokens\": 12}}\n\n",
    ///     "data: [DONE]\n\n",
    /// ]);
    /// let mut reply = permit.wrap(reply);
    /// reply.by_ref().take(2).for_each(async |event| print!("{event}")).await;
    /// // 479 of the 500 are given back, before the end.
    /// assert!(limiter.status()?.limits[0].available > 970);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wrap<S, Form>(self, stream: S) -> WrappedStream<S>
    where
        S: Stream,
        S::Item: StreamBytes<Form>,
    {
        let show = |tap: &mut Tap, item: &S::Item| match item.stream_bytes() {
            Some(bytes) => tap.bytes(bytes),
            None => tap.break_off(),
        };
        self.wrap_with(stream, show)
    }

    /// Does the same for a stream of events that the client has parsed.
    ///
    /// The items are anything that is `Serialize`, or results of it, as most clients return them.
    /// Use [`wrap`](Self::wrap) for bytes. If the error of the results is `Serialize`, too, such as
    /// `String`, rustc cannot tell the two cases apart: map it to another type first.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    /// use openlimit::{Rate, RateLimiter};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().tokens(Rate::per_day(1_000)).build()?;
    /// let permit = limiter.try_acquire(500)?;
    /// let events = stream::iter([
    ///     Ok::<_, std::io::Error>(json!({"choices": [{"delta": {}, "finish_reason": "stop"}]})),
    ///     Ok(json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 12}})),
    /// ]);
    /// permit.wrap_items(events).for_each(async |event| println!("{event:?}")).await;
    /// assert!(limiter.status()?.limits[0].available > 970);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tokenizers")]
    pub fn wrap_items<S, Form>(self, stream: S) -> WrappedStream<S>
    where
        S: Stream,
        S::Item: StreamItem<Form>,
    {
        let show = |tap: &mut Tap, item: &S::Item| match item.stream_event() {
            Some(item) => tap.item(item),
            None => tap.break_off(),
        };
        self.wrap_with(stream, show)
    }

    /// Does the same, and shows each item to the tap by `show`.
    pub(crate) fn wrap_with<S: Stream>(self, stream: S, show: fn(&mut Tap, &S::Item)) -> WrappedStream<S> {
        WrappedStream { stream, tap: Tap::new(self), show }
    }
}

impl<S: Stream> Stream for WrappedStream<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let item = ready!(this.stream.poll_next(cx));
        match &item {
            Some(item) => (this.show)(this.tap, item),
            None => this.tap.end(),
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S: FusedStream> FusedStream for WrappedStream<S> {
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}
