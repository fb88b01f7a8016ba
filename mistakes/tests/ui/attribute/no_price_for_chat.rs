use openlimit::{AcquireError, ChatRateLimiter, limiter, rate_limited};

limiter! {
    static CHAT: ChatRateLimiter = { tokens: 40_000 / minute };
}

#[rate_limited(limiter = CHAT)]
async fn call() -> Result<(), AcquireError> {
    Ok(())
}

fn main() {
    let _ = call;
}
