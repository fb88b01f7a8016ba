use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 1 / day };
}

struct Reply;

#[rate_limited(limiter = PLAIN, feedback, retry = 1)]
async fn call() -> Result<Reply, AcquireError> {
    Ok(Reply)
}

fn main() {}
