use openlimit::{RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN)]
async fn call() -> Option<Vec<u8>> {
    None
}

fn main() {
    let _ = call;
}
