use openlimit::{limiter};

limiter! {
    static CHAT: ChatRateLimitter = { requests: 200 / minute };
}

fn main() {}
