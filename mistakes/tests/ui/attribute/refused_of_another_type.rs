use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, refused = |_| true)]
async fn call() -> Result<(), AcquireError> {
    Ok(())
}

fn main() {
    let _ = call;
}
