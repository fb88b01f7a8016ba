use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

trait Provider {
    #[rate_limited(limiter = PLAIN)]
    async fn call(&self) -> Result<(), AcquireError>;
}

fn main() {}
