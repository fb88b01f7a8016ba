#![deny(unused)]

use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, permit = permit)]
async fn call(argument: u8) -> Result<(), AcquireError> {
    let local = 1;
    Ok(())
}

fn main() {
    let _ = call;
}
