use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

fn main() {
    let call = #[rate_limited(limiter = PLAIN)]
    || -> Result<(), AcquireError> { Ok(()) };
    let _ = call;
}
