use openlimit::{RateLimiter, limiter};

const RPM: u64 = 200;

limiter! {
    static CHAT: RateLimiter = { requests: RPM / min };
}

fn main() {}
