use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { requests: "many" };
}

fn main() {}
