use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { tokens: 9_300_000_000_000_000_000 / second };
}

fn main() {}
