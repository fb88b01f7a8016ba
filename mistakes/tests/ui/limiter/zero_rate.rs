use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { requests: 0 / minute };
}

fn main() {}
