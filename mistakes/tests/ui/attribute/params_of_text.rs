use openlimit::{AcquireError, ChatRateLimiter, limiter, rate_limited};

limiter! {
    static CHAT: ChatRateLimiter = { tokens: 40_000 / minute };
}

#[rate_limited(limiter = CHAT, params = prompt)]
async fn call(prompt: &str) -> Result<(), AcquireError> {
    Ok(())
}

fn main() {
    let _ = call;
}
