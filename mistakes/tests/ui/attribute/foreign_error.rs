use openlimit::{RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN)]
async fn call() -> std::io::Result<()> {
    Ok(())
}

fn main() {
    let _ = call;
}
