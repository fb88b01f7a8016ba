use openlimit::limiter;

limiter! {
    CHAT: openlimit::RateLimiter = { requests: 200 / minute };
}

fn main() {}
