use futures_util::stream::{self, Stream};
use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, stream, permit = permit)]
async fn call() -> Result<impl Stream<Item = Vec<u8>>, AcquireError> {
    Ok(permit.wrap(stream::iter([vec![1]])))
}

fn main() {
    let _ = call;
}
