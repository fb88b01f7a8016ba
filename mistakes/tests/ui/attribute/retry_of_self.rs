use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

struct Client;

impl Client {
    #[rate_limited(limiter = PLAIN, feedback, retry = 3)]
    async fn call(self) -> Result<(), AcquireError> {
        drop(self);
        Ok(())
    }
}

fn main() {
    let _ = Client::call;
}
