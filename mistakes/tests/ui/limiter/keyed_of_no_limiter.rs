use openlimit::{Keyed, limiter};

limiter! {
    static TENANTS: Keyed<u64, String> = { requests: 200 / minute };
}

fn main() {}
