use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { request: 200 / minute };
}

fn main() {}
