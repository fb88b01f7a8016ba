use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { requests: "200".parse::<u64>()? };
}

fn main() {}
