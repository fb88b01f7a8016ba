use std::pin::Pin;

use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

trait Stream {
    type Item;
}

#[rate_limited(limiter = PLAIN)]
fn call() -> Pin<Box<dyn Stream<Item = Result<String, AcquireError>> + Send>> {
    unimplemented!()
}

fn main() {
    let _ = call;
}
