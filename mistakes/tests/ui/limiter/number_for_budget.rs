use openlimit::{RateLimiter, limiter};

limiter! {
    static PER_DAY: RateLimiter = { spend: 10 / day };
}

limiter! {
    static AT_ALL: RateLimiter = { spend: 10 };
}

fn main() {}
