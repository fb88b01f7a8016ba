use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { requests: };
}

fn main() {}
