use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { requests: 100 / 2 / minute };
}

fn main() {}
