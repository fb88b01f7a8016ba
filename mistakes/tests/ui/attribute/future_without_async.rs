use std::future::Future;

use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

async fn inner() -> Result<(), AcquireError> {
    Ok(())
}

#[rate_limited(limiter = PLAIN)]
fn call() -> impl Future<Output = Result<(), AcquireError>> {
    inner()
}

fn main() {
    let _ = call;
}
