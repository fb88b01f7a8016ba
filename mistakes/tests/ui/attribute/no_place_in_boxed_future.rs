use std::pin::Pin;

use openlimit::{RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN)]
fn call() -> Pin<Box<dyn Future<Output = Option<u8>>>> {
    Box::pin(async { None })
}

fn main() {
    let _ = call;
}
