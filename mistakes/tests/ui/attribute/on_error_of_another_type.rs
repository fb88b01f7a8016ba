use openlimit::{RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, on_error = |_| "refused")]
async fn call() -> Option<u8> {
    None
}

fn main() {
    let _ = call;
}
