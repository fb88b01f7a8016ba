use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

fn main() {
    #[rate_limited(limiter = PLAIN)]
    let call = async || -> Result<(), AcquireError> { Ok(()) };
    let _ = call;
}
