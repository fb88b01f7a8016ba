use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

struct Reply;

#[rate_limited(limiter = PLAIN, feedback)]
async fn call() -> Result<Reply, AcquireError> {
    Ok(Reply)
}

fn main() {
    let _ = call;
}
