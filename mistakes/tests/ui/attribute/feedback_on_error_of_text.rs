use openlimit::{RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, feedback, on_error = |error| Err(error.to_string()))]
async fn call() -> Result<(), String> {
    Ok(())
}

fn main() {
    let _ = call;
}
