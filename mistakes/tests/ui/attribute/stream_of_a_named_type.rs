use futures_util::stream::{self, Iter};
use openlimit::{AcquireError, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = PLAIN, stream)]
async fn call() -> Result<Iter<std::vec::IntoIter<Vec<u8>>>, AcquireError> {
    Ok(stream::iter(vec![vec![1]]))
}

fn main() {
    let _ = call;
}
