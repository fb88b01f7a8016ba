use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { requests: 200 / minute tokens: 40_000 / minute };
}

fn main() {}
