use openlimit::limiter;

limiter! {
    static CHAT: String = { requests: 200 / minute };
}

fn main() {}
