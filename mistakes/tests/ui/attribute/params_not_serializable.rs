use openlimit::{AcquireError, ChatRateLimiter, limiter, rate_limited};

limiter! {
    static CHAT: ChatRateLimiter = { tokens: 40_000 / minute };
}

#[rate_limited(limiter = CHAT, params = request)]
async fn call(request: Request) -> Result<(), AcquireError> {
    Ok(())
}

struct Request;

fn main() {
    let _ = call;
}
