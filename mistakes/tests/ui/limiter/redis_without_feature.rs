use openlimit::{RateLimiter, limiter};

limiter! {
    static CHAT: RateLimiter = { requests: 200 / minute, redis: "redis://localhost:6379", name: "prod" };
}

fn main() {}
