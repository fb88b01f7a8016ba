use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, permit = permit, feedback)]
async fn call() -> Result<(), AcquireError> {
    permit.settle(1);
    Ok(())
}

fn main() {
    let _ = call;
}
