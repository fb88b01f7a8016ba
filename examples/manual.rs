//! Uses a limiter without the attribute: acquires permits, then settles, cancels or drops them.
//!
//!     cargo run --example manual

use std::time::Duration;

use openlimit::{AcquireError, ChatRateLimiter, Cost, Permit, Rate, Usage};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // 100 tokens a second. One second of them may be taken at once.
    let limiter = ChatRateLimiter::builder()
        .requests(Rate::per_minute(600))
        .tokens(Rate::per_minute(6_000))
        .name("manual")
        .build()?;

    // The cost of a request: its prompt and its largest answer.
    let params = json!({
        "model": "gpt-4o",
        "messages": [{ "role": "user", "content": "Say hello." }],
        "max_completion_tokens": 50,
    });
    println!("The request reserves {} tokens.", limiter.cost(&params)?.amount(&"tokens".into()));
    let permit = limiter.acquire(&params).await?;
    // ... send it here ... The answer was shorter than the reservation: the rest is given back.
    permit.settle(Usage::new(10, 9));
    println!("It used 19. Now: {}.", limiter.status()?);

    // A cost of your own. The call waits until there are 90 tokens.
    let permit = limiter.acquire(Cost::new().tokens(90)).await?;
    let limit = permit.waited_for().map_or("nothing".to_owned(), |limit| limit.to_string());
    println!("\nA call of 90 tokens waited {:.1?} for {limit}.", permit.waited());
    // It was never sent, so everything is given back.
    permit.cancel();

    // Dropping a permit keeps the reservation, since the request may have been sent.
    drop(limiter.acquire(90).await?);
    println!("After two of them, one cancelled: {}.", limiter.status()?.limits[1]);

    println!("\nRefusals:");
    show("try_acquire", limiter.try_acquire(90));
    show("a timeout of 50 ms", limiter.acquire(90).timeout(Duration::from_millis(50)).await);
    show("larger than the limit", limiter.acquire(7_000).await);
    show("a dimension without a limit", limiter.acquire(Cost::new().images(1)).await);
    show("params without messages", limiter.acquire(&json!({ "model": "gpt-4o" })).await);

    // None of them took anything. A call with a longer timeout is admitted.
    let permit = limiter.acquire(90).timeout(Duration::from_secs(5)).await?;
    println!("\nA call with a timeout of 5 s waited {:.1?}.", permit.waited());
    Ok(())
}

fn show(call: &str, outcome: Result<Permit, AcquireError>) {
    match outcome {
        Ok(_) => println!("- {call}: admitted"),
        Err(error) => match error.retry_after() {
            Some(wait) => println!("- {call}: {error} (retry after {wait:.1?})"),
            None => println!("- {call}: {error}"),
        },
    }
}
