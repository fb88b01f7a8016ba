use openlimit::{RateLimiter, limiter, rate_limited};

limiter! {
    static PLAIN: RateLimiter = { requests: 200 / minute };
}

trait Stream {
    type Item;
}

impl Stream for () {
    type Item = String;
}

#[rate_limited(limiter = PLAIN, on_error = |_| ())]
fn call() -> impl Stream<Item = String> {
    ()
}

fn main() {
    let _ = call;
}
