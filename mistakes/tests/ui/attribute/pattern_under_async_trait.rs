use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

struct Client;

#[async_trait::async_trait]
trait Call {
    async fn call(&self, sizes: (u64, u64)) -> Result<(), AcquireError>;
}

#[async_trait::async_trait]
impl Call for Client {
    #[rate_limited(limiter = PLAIN, cost = size)]
    async fn call(&self, (size, _): (u64, u64)) -> Result<(), AcquireError> {
        Ok(())
    }
}

fn main() {}
