use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN)]
async fn call() -> Result<u8, AcquireError> {
    let number = 1 +;
    Ok(number)
}

fn main() {
    let _ = call;
}
