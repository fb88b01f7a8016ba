use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { requests: 200 / minute, max_keys: 100_000 };
}

fn main() {}
