use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, usage = response.prompt + response.completion)]
async fn call() -> Result<Reply, AcquireError> {
    Ok(Reply { prompt: 1, completion: 2 })
}

struct Reply {
    prompt: u64,
    completion: u64,
}

fn main() {
    let _ = call;
}
