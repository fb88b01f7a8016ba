use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, usage = reply.total)]
async fn call() -> Result<Reply, AcquireError> {
    Ok(Reply { total: 1 })
}

struct Reply {
    total: u64,
}

fn main() {
    let _ = call;
}
