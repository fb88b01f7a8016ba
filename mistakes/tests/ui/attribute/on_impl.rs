use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

struct Client;

#[rate_limited(limiter = PLAIN)]
impl Client {
    async fn call(&self) -> Result<(), AcquireError> {
        Ok(())
    }
}

fn main() {
    let _ = Client::call;
}
