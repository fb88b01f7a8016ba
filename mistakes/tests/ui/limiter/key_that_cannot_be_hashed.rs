use openlimit::{Keyed, RateLimiter, limiter};

#[derive(Clone, PartialEq, Eq)]
struct TenantId(u64);

limiter! {
    static TENANTS: Keyed<TenantId, RateLimiter> = { requests: 200 / minute };
}

fn main() {
    _ = TENANTS.of(&TenantId(1));
}
