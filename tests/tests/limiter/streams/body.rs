//! Bodies of HTTP (feature `http`).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use openlimit::WrappedBody;

use super::recorded::{Recorded, all};
use super::{Account, RESERVED};

fn now<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("it never waits")
}

#[test]
fn frames_trailers_and_usage_pass() {
    for Recorded { name, bytes, taken, .. } in all() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", HeaderValue::from_static("7"));
        let data = bytes.chunks(100).map(|chunk| Frame::data(Bytes::copy_from_slice(chunk)));
        let frames = data.chain([Frame::trailers(trailers.clone())]).map(Ok::<_, Infallible>);
        let account = Account::new();
        let wrapped = account.permit().wrap_body(StreamBody::new(stream::iter(frames)));
        let collected = now(wrapped.collect()).expect("it cannot fail");
        assert_eq!(collected.trailers(), Some(&trailers), "{name}");
        assert_eq!(collected.to_bytes(), bytes, "{name}");
        assert_eq!(account.taken(), taken, "{name}");
    }
}

#[test]
fn a_body_whose_length_is_known_is_settled_with_its_last_frame() {
    // Clients do not ask for more then.
    let account = Account::new();
    let reply = r#"{"data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}}"#;
    let mut wrapped = account.permit().wrap_body(Full::new(Bytes::from(reply)));
    assert_eq!(wrapped.size_hint().exact(), Some(reply.len() as u64));
    assert!(!wrapped.is_end_stream());
    assert!(now(wrapped.frame()).is_some());
    assert!(wrapped.is_end_stream());
    assert_eq!(account.taken(), [8, 600, 8]);
    drop(wrapped);
    assert_eq!(account.taken(), [8, 600, 8]);
}

#[test]
fn a_reply_without_a_body_keeps_the_reservation() {
    // To HEAD, or with status 204 or 304.
    let account = Account::new();
    let mut wrapped = account.permit().wrap_body(Empty::<Bytes>::new());
    assert!(wrapped.is_end_stream());
    assert_eq!(wrapped.size_hint().exact(), Some(0));
    assert!(now(wrapped.frame()).is_none());
    assert_eq!(account.taken(), RESERVED);
}

/// Reads usage, breaks, and claims to be at its end.
struct Breaks(Vec<Result<&'static str, &'static str>>);

impl Body for Breaks {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(self.0.pop().map(|next| next.map(|text| Frame::data(Bytes::from(text)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(7)
    }
}

#[test]
fn a_body_that_breaks_off_passes_its_error_and_keeps_the_reservation() {
    let account = Account::new();
    let first =
        r#"data: {"choices":[{"finish_reason":null}],"usage":{"prompt_tokens":19,"completion_tokens":1}}"#;
    let mut wrapped = account.permit().wrap_body(Breaks(vec![Err("reset"), Ok(first)]));
    assert_eq!(wrapped.size_hint().exact(), Some(7));
    assert!(now(wrapped.frame()).is_some_and(|frame| frame.is_ok()));
    assert_eq!(now(wrapped.frame()).map(|frame| frame.err()), Some(Some("reset")));
    assert!(now(wrapped.frame()).is_none());
    assert_eq!(account.taken(), [19, 600, 1_000]);
}

#[test]
fn a_wrapped_body_is_what_the_body_is() {
    // reqwest wants all of it.
    fn is_all<T: Send + Sync + Unpin + 'static>() {}
    is_all::<WrappedBody<Full<Bytes>>>();
    assert!(size_of::<WrappedBody<Full<Bytes>>>() <= size_of::<Full<Bytes>>() + 8);
}
