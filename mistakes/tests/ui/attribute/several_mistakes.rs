use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limitter = PLAIN, timeout, retries = 3, cost = 1, cost = 2)]
const fn call() -> Result<(), AcquireError> {
    Ok(())
}

fn main() {
    let _ = call;
}
