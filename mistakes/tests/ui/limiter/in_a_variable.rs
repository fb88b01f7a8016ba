use openlimit::limiter;

fn main() {
    let _chat = limiter! { requests: 200 / minute, tokens: 40_000 / minute };
}
