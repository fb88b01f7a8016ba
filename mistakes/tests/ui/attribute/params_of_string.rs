use openlimit::{AcquireError, ChatRateLimiter, limiter, rate_limited};

limiter! {
    static CHAT: ChatRateLimiter = { tokens: 40_000 / minute };
}

struct Client {
    prompt: String,
}

impl Client {
    #[rate_limited(limiter = CHAT, params = self.prompt)]
    async fn call(&self) -> Result<(), AcquireError> {
        Ok(())
    }
}

fn main() {
    let _ = Client::call;
}
