use futures_util::stream::{self, Stream};
use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, stream)]
async fn call() -> Result<impl Stream<Item = Result<String, AcquireError>>, AcquireError> {
    Ok(stream::iter([Ok(String::new())]))
}

fn main() {
    let _ = call;
}
