use openlimit::{AcquireError, rate_limited};

#[rate_limited(limiter = "PLAIN", cost = 900)]
async fn call() -> Result<(), AcquireError> {
    Ok(())
}

fn main() {
    let _ = call;
}
