use openlimit::ChatRateLimiter;

fn main() {
    let _ = ChatRateLimiter::new(200, 40_000);
}
