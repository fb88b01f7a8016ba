use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { requests_per_minute: 200 };
}

fn main() {}
