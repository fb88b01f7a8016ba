use futures_util::stream::{self, Stream};
use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, usage = |_| 12, stream)]
async fn call() -> Result<impl Stream<Item = Vec<u8>>, AcquireError> {
    Ok(stream::iter([vec![1]]))
}

fn main() {
    let _ = call;
}
