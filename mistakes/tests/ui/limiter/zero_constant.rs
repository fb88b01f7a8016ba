use openlimit::{RateLimiter, limiter};

const RATE: u64 = 0;

limiter! {
    static CHAT: RateLimiter = { requests: RATE / minute };
}

fn main() {}
