use openlimit::{AcquireError, Rate, RateLimiter, rate_limited};

fn main() {
    let local = RateLimiter::builder().requests(Rate::per_minute(200)).build().unwrap();

    #[rate_limited(limiter = local)]
    async fn call() -> Result<(), AcquireError> {
        Ok(())
    }
}
