//! Measures what `#[rate_limited]` adds to the size of a function's future: a permit, and space for
//! the wait if the body's own awaits do not leave enough.
//!
//! `usage`, `feedback`, `stream` and `retry` are the documented exceptions: they wrap the body, and
//! the arguments are stored twice, or three times with `retry`.

use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static CHAT: RateLimiter = { requests: 200 / minute };
}

type Outcome<T> = Result<T, AcquireError>;

/// A large argument, and a local that is held over an await, like a call of an HTTP client.
macro_rules! large {
    ($(#[$attr:meta])* $name:ident) => {
        $(#[$attr])*
        async fn $name(argument: [u8; 1024]) -> Outcome<usize> {
            let local = [argument[0]; 512];
            wait(&local).await;
            Ok(local.len() + argument.len())
        }
    };
}

large!(large_plain);
large!(
    #[rate_limited(limiter = CHAT)]
    large_limited
);
large!(
    #[rate_limited(limiter = CHAT, cost = 9, timeout = Duration::ZERO)]
    large_with_options
);
large!(
    #[rate_limited(limiter = CHAT, permit = _permit)]
    large_with_permit
);

large!(
    #[rate_limited(limiter = CHAT, usage = |length| *length)]
    large_with_usage
);

large!(
    #[rate_limited(limiter = CHAT, feedback)]
    large_with_feedback
);
large!(
    #[rate_limited(limiter = CHAT, feedback, retry = 3)]
    large_with_retry
);

/// The same with a stream.
macro_rules! large_stream {
    ($(#[$attr:meta])* $name:ident) => {
        $(#[$attr])*
        async fn $name(argument: [u8; 1024]) -> Outcome<BoxStream<'static, Vec<u8>>> {
            let local = [argument[0]; 512];
            wait(&local).await;
            Ok(stream::iter([argument.to_vec()]).boxed())
        }
    };
}

large_stream!(large_stream_plain);
large_stream!(
    #[rate_limited(limiter = CHAT, stream)]
    large_with_stream
);
large_stream!(
    #[rate_limited(limiter = CHAT, stream, feedback, retry = 3)]
    large_with_stream_and_retry
);

/// A small argument and a small await.
macro_rules! small {
    ($(#[$attr:meta])* $name:ident) => {
        $(#[$attr])*
        async fn $name(argument: String) -> Outcome<usize> {
            wait(argument.as_bytes()).await;
            Ok(argument.len())
        }
    };
}

small!(small_plain);
small!(
    #[rate_limited(limiter = CHAT)]
    small_limited
);
small!(
    #[rate_limited(limiter = CHAT, cost = 9, timeout = Duration::ZERO)]
    small_with_options
);
small!(
    #[rate_limited(limiter = CHAT, permit = _permit)]
    small_with_permit
);
small!(
    #[rate_limited(limiter = CHAT, usage = |length| *length as u64)]
    small_with_usage
);

async fn wait(bytes: &[u8]) {
    let kept = bytes.first().copied();
    tokio::task::yield_now().await;
    assert_eq!(bytes.first().copied(), kept);
}

#[test]
fn a_large_future_grows_by_little_more_than_the_permit() {
    let plain = size_of_val(&large_plain([0; 1024]));
    for limited in [
        size_of_val(&large_limited([0; 1024])),
        size_of_val(&large_with_options([0; 1024])),
        size_of_val(&large_with_permit([0; 1024])),
    ] {
        assert!(limited <= plain + 32, "{limited} bytes, {plain} without the attribute");
    }
}

#[test]
fn with_usage_or_feedback_a_large_future_stores_its_arguments_twice() {
    let plain = size_of_val(&large_plain([0; 1024]));
    for limited in [size_of_val(&large_with_usage([0; 1024])), size_of_val(&large_with_feedback([0; 1024]))] {
        assert!(limited <= plain + 1024 + 128, "{limited} bytes, {plain} without the attribute");
    }
}

#[test]
fn with_retry_a_large_future_stores_its_arguments_three_times() {
    let plain = size_of_val(&large_plain([0; 1024]));
    let limited = size_of_val(&large_with_retry([0; 1024]));
    assert!(limited <= plain + 2 * 1024 + 192, "{limited} bytes, {plain} without the attribute");
}

#[test]
fn with_stream_a_large_future_stores_its_arguments_as_with_feedback() {
    let plain = size_of_val(&large_stream_plain([0; 1024]));
    let limited = size_of_val(&large_with_stream([0; 1024]));
    assert!(limited <= plain + 1024 + 128, "{limited} bytes, {plain} without the attribute");
    let retried = size_of_val(&large_with_stream_and_retry([0; 1024]));
    assert!(retried <= plain + 2 * 1024 + 192, "{retried} bytes, {plain} without the attribute");
}

#[test]
fn a_small_future_grows_by_the_wait_too() {
    let text = String::new;
    let plain = size_of_val(&small_plain(text()));
    for limited in [
        size_of_val(&small_limited(text())),
        size_of_val(&small_with_options(text())),
        size_of_val(&small_with_permit(text())),
        size_of_val(&small_with_usage(text())),
    ] {
        assert!(limited <= plain + 128, "{limited} bytes, {plain} without the attribute");
    }
}
