use openlimit::{RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, on_error = error.to_string())]
async fn call() -> String {
    String::new()
}

fn main() {
    let _ = call;
}
