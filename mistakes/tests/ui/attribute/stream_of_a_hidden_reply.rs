use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

trait Reply {}

impl Reply for u8 {}

#[rate_limited(limiter = PLAIN, stream)]
async fn call() -> Result<impl Reply, AcquireError> {
    Ok(1)
}

fn main() {
    let _ = call;
}
