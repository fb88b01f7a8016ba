use openlimit::{AcquireError, ChatRateLimiter, RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
    static CHAT: ChatRateLimiter = { requests: 200 / minute };
}

#[rate_limited(limiter = [PLAIN, PLAIN])]
async fn array() -> Result<(), AcquireError> {
    Ok(())
}

#[rate_limited(limiter = (PLAIN,))]
async fn one() -> Result<(), AcquireError> {
    Ok(())
}

#[rate_limited(limiter = (PLAIN, CHAT))]
async fn without_cost() -> Result<(), AcquireError> {
    Ok(())
}

#[rate_limited(limiter = (PLAIN, CHAT), params = request)]
async fn priced_by_one(request: &Vec<u8>) -> Result<(), AcquireError> {
    Ok(())
}

#[rate_limited(limiter = (PLAIN, "CHAT"), cost = 900)]
async fn text() -> Result<(), AcquireError> {
    Ok(())
}

fn main() {
    let _ = (array, one, without_cost, priced_by_one, text);
}
