use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, params = request)]
async fn call(request: Request) -> Result<(), AcquireError> {
    Ok(())
}

#[derive(serde::Serialize)]
struct Request {
    messages: Vec<String>,
}

fn main() {
    let _ = call;
}
