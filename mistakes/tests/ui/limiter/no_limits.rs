use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = {};
}

fn main() {}
