use futures_util::stream::{self, BoxStream, StreamExt};
use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

struct Chunk;

#[rate_limited(limiter = PLAIN, stream)]
async fn call() -> Result<BoxStream<'static, Chunk>, AcquireError> {
    Ok(stream::iter([Chunk]).boxed())
}

fn main() {
    let _ = call;
}
