//! A limiter without the attribute: acquire a permit, make the call, say what it used.
//!
//!     cargo run --example manual

use std::time::Duration;

use openlimit::{AcquireError, ChatRateLimiter, Cost, Permit, Rate, Usage};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // 100 tokens a second, of which a second's worth may be taken at once.
    let limiter = ChatRateLimiter::builder()
        .requests(Rate::per_minute(600))
        .tokens(Rate::per_minute(6_000))
        .name("manual")
        .build()?;

    // From the request: its prompt, and the most that the answer may come to.
    let params = json!({
        "model": "gpt-4o",
        "messages": [{ "role": "user", "content": "Say hello." }],
        "max_completion_tokens": 50,
    });
    println!("a request takes {} tokens", limiter.cost(&params)?.amount(&"tokens".into()));
    let permit = limiter.acquire(&params).await?;
    // ... send it here ... The answer was shorter than it might have been: give the rest back.
    permit.settle(Usage::new(10, 9));

    // Or outright. This one waits until there are 90 tokens.
    let permit = limiter.acquire(Cost::new().tokens(90)).await?;
    let limit = permit.waited_for().map_or("nothing".to_owned(), ToString::to_string);
    println!("90 tokens waited {:.1?} for {limit}", permit.waited());
    // It was never sent, so it takes nothing.
    permit.cancel();

    // Dropping a permit keeps the charge: the call may have been made.
    drop(limiter.acquire(90).await?);

    // Who waits, and what is left.
    println!("{}", limiter.status()?);

    // What a refusal says.
    show("now or never", limiter.try_acquire(90));
    show("soon or never", limiter.acquire(90).timeout(Duration::from_millis(50)).await);
    show("more than a minute's worth", limiter.acquire(7_000).await);
    show("of something else", limiter.acquire(Cost::new().images(1)).await);
    show("not a chat", limiter.acquire(&json!({ "model": "gpt-4o" })).await);

    // In the meantime a call that allows for the wait is admitted.
    let permit = limiter.acquire(90).timeout(Duration::from_secs(5)).await?;
    println!("the last one waited {:.1?}", permit.waited());
    Ok(())
}

fn show(what: &str, outcome: Result<Permit, AcquireError>) {
    match outcome {
        Ok(_) => println!("{what}: admitted"),
        Err(error) => match error.retry_after() {
            Some(wait) => println!("{what}: {error} (worth trying again in {wait:.1?})"),
            None => println!("{what}: {error}"),
        },
    }
}
