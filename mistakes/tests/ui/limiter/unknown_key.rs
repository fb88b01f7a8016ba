use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { requests: 200 / minute, retries: 3 };
}

fn main() {}
