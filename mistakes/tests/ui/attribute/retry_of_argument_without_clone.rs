use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

struct Request;

#[rate_limited(limiter = PLAIN, feedback, retry = 3)]
async fn call(request: Request) -> Result<(), AcquireError> {
    drop(request);
    Ok(())
}

fn main() {
    let _ = call;
}
