use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { requests: -1 / minute };
}

fn main() {}
