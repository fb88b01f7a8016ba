use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN)]
struct Client {
    name: String,
}

fn main() {
    let _: fn(Client) -> Result<String, AcquireError> = |client| Ok(client.name);
}
