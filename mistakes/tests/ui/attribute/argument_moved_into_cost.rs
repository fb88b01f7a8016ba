use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, cost = price(text))]
async fn call(text: String) -> Result<String, AcquireError> {
    Ok(text)
}

fn price(text: String) -> u64 {
    text.len() as u64
}

fn main() {
    let _ = call;
}
