//! Measures calls of two limiters that are admitted together, beside two calls, one of each
//! limiter.

use std::hint::black_box;

use openlimit::{Cost, RateLimiter, Stack, limiter};
use openlimit_benches::Line;

use crate::calls::{at_once, cost};
use crate::rounds::Rounds;

limiter! {
    static TENANT: RateLimiter = {
        requests: 1_000_000_000 / second,
        tokens: 1_000_000_000_000 / second,
    };
    static ACCOUNT: RateLimiter = {
        requests: 1_000_000_000 / second,
        tokens: 1_000_000_000_000 / second,
    };
    static SHUT: RateLimiter = {
        requests: 1 / day,
        tokens: 1_000_000_000_000 / second,
    };
}

/// Returns the ratios of calls of two levels.
pub(crate) fn all(rounds: usize) -> Vec<Line> {
    drop(SHUT.try_acquire(Cost::new()));
    let (stack, shut) = (Stack::of((&TENANT, &ACCOUNT)), Stack::of((&TENANT, &SHUT)));
    let times = Rounds::default()
        .one("two", || _ = black_box((&TENANT.try_acquire(cost()), &ACCOUNT.try_acquire(cost()))))
        .one("stack", || _ = black_box(&stack.try_acquire(cost())))
        .one("two awaited", || {
            at_once(async { _ = black_box((TENANT.acquire(cost()).await, ACCOUNT.acquire(cost()).await)) });
        })
        .one("stack awaited", || at_once(async { _ = black_box(&stack.acquire(cost()).await) }))
        .one("two refused", || {
            if let (Ok(permit), Err(_)) = black_box((TENANT.try_acquire(cost()), SHUT.try_acquire(cost()))) {
                permit.cancel();
            }
        })
        .one("stack refused", || _ = black_box(&shut.try_acquire(cost())))
        .run(rounds);
    vec![
        Line::remark("stack of two, granted: nanoseconds", times.of("stack")),
        Line::remark("stack of two, granted / two calls", times.ratio("stack", "two")),
        Line::remark("stack of two, awaited / two calls", times.ratio("stack awaited", "two awaited")),
        Line::remark(
            "stack of two, refused / two calls, one cancelled",
            times.ratio("stack refused", "two refused"),
        ),
    ]
}
