use openlimit::{RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN)]
fn call() -> impl Iterator<Item = u8> {
    std::iter::empty()
}

fn main() {
    let _ = call;
}
