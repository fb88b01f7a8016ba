use futures_util::stream::{self, Stream};
use openlimit::{RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, stream, on_error = |_| stream::empty())]
async fn call() -> impl Stream<Item = Vec<u8>> {
    stream::iter([vec![1]])
}

fn main() {
    let _ = call;
}
