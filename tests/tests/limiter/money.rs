//! Tests of limits on money: what a request costs is reserved before it is sent, and settled by
//! what it used.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{
    AcquireError, Budget, BuildProblem, Builder, ChatRateLimiter, Cost, Dimension, Dollars, IntoDollars,
    Keyed, MessagesRateLimiter, Permit, Prices, Rate, RateLimiter, Unit, Usage, kind, limiter, rate_limited,
};
use openlimit_tests::{question, secs};
use serde_json::{Value, json};

/// In millionths: 2 a token of input, 1 if it is cached, 3 if it is stored, and 10 a token of
/// output.
fn price(model: &str, usage: &Usage) -> Option<Dollars> {
    let micros =
        2 * usage.uncached_input() + usage.cached_input() + 3 * usage.cache_writes() + 10 * usage.output();
    match model {
        "m-1" => Some(Dollars::from_micros(micros)),
        "m-2" => Some(Dollars::from_micros(100 * micros)),
        "free" => Some(Dollars(0)),
        _ => None,
    }
}

/// A limiter of one dollar a day, which does not refill during a test.
fn builder() -> Builder<kind::Chat> {
    ChatRateLimiter::builder().name("chat").clock(&ManualClock::new()).spend(Dollars(1) / Unit::day)
}

fn priced() -> ChatRateLimiter {
    builder().jitter(secs(0)).price(price).build().unwrap()
}

/// Returns what was taken, in millionths of a dollar.
fn taken<K>(limiter: &openlimit::Limiter<K>) -> u64 {
    1_000_000 - limiter.status().unwrap().limits.last().unwrap().available
}

fn spend(permit: &Permit) -> u64 {
    permit.cost().amount(&Dimension::Spend)
}

#[test]
fn a_request_reserves_the_price_of_its_prompt_and_its_largest_output() {
    let limiter = priced();
    let permit = limiter.try_acquire(&question("m-1", 300)).unwrap();
    assert_eq!(spend(&permit), 13 * 2 + 300 * 10);
    assert_eq!(taken(&limiter), 3_026);
    let body = question("m-2", 3).to_string();
    let cost = limiter.cost_of_body("/v1/chat/completions", body.as_bytes()).unwrap();
    assert_eq!(cost.amount(&Dimension::Spend), 100 * (26 + 30));
}

#[test]
fn a_budget_holds_under_concurrency_and_before_anything_is_sent() {
    let limiter = priced();
    // 100 026 millionths each, so nine fit into a dollar.
    let request = question("m-1", 10_000);
    let admitted: Vec<_> = thread::scope(|scope| {
        let call = || (0..5).filter_map(|_| limiter.try_acquire(&request).ok()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(call)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(admitted.len(), 9);
    let error = limiter.try_acquire(&request).unwrap_err();
    assert!(matches!(error, AcquireError::WouldWait { .. }), "{error}");
    assert!(error.to_string().contains("$1 / day"), "{error}");
}

#[test]
fn settling_computes_the_price_anew() {
    for (usage, expected) in [
        (Usage::new(20, 5), 40 + 50),
        (Usage::new(20, 5).cached(15), 10 + 15 + 50),
        (Usage::new(20, 5).cached_beside(1_000), 40 + 1_000 + 50),
        (Usage::new(20, 5).cached_beside(7).written(4), 32 + 7 + 12 + 50),
        (Usage::new(20, 5).cached(900).written(900), 20 + 50),
        // More than was reserved.
        (Usage::new(20, 500), 40 + 5_000),
        // Only the total: the prompt is as long as counted.
        (Usage::from(23), 26 + 100),
        // What is not named stays as it was reserved.
        (Usage::default().with(Dimension::OutputTokens, 1), 26 + 10),
        (Usage::default().with(Dimension::InputTokens, 1), 2 + 3_000),
        (Usage::default().with("pages", 1), 3_026),
        // What the provider charges is believed.
        (Usage::new(20, 5).spend(Dollars::from_cents(7)), 70_000),
    ] {
        let limiter = priced();
        limiter.try_acquire(&question("m-1", 300)).unwrap().settle(usage.clone());
        assert_eq!(taken(&limiter), expected, "{usage:?}");
    }
}

#[test]
fn a_call_is_settled_by_the_model_that_was_priced() {
    let limiter = priced();
    let expensive = limiter.try_acquire(&question("m-2", 30)).unwrap();
    let cheap = limiter.try_acquire(&question("m-1", 30)).unwrap();
    expensive.settle(Usage::new(10, 1));
    assert_eq!(taken(&limiter), 100 * (20 + 10) + 26 + 300);
    cheap.settle(Usage::new(10, 1));
    assert_eq!(taken(&limiter), 100 * (20 + 10) + 20 + 10);
}

#[test]
fn parts_of_the_usage_add_up_to_one_price() {
    let limiter = priced();
    let mut permit = limiter.try_acquire(&question("m-1", 300)).unwrap();
    permit.settle_so_far(Usage::default().with(Dimension::InputTokens, 20).cached_beside(1_000));
    assert_eq!(spend(&permit), 40 + 1_000 + 3_000);
    permit.settle_so_far(Usage::default().with(Dimension::OutputTokens, 4));
    assert_eq!(spend(&permit), 40 + 1_000 + 40);
    permit.settle(Usage::default().with(Dimension::OutputTokens, 5));
    assert_eq!(taken(&limiter), 40 + 1_000 + 50);
}

#[test]
fn money_is_given_back_where_reservations_of_tokens_are_not() {
    let limiter = builder().jitter(secs(0)).price(price).refunds(false).build().unwrap();
    limiter.try_acquire(&question("m-1", 300)).unwrap().settle(Usage::new(13, 1));
    assert_eq!(taken(&limiter), 36);
    limiter.try_acquire(&question("m-1", 300)).unwrap().cancel();
    assert_eq!(taken(&limiter), 36);
}

/// Checks that a call is refused with this reason, and that nothing was taken.
#[track_caller]
fn refuses<D: IntoDollars + 'static>(price: fn(&str, &Usage) -> D, reason: &str) {
    let limiter = builder().jitter(secs(0)).price(price).build().unwrap();
    let error = limiter.try_acquire(&question("m-3", 300)).unwrap_err();
    assert!(matches!(error, AcquireError::Params { .. }), "{error}");
    let start = "limiter `chat` cannot price the call: cannot read `spend` of the params: the model \"m-3\" has no \
                 price: ";
    assert_eq!(error.to_string(), format!("{start}{reason}"));
    assert_eq!(taken(&limiter), 0);
    // The next call is not affected.
    assert!(limiter.try_acquire(Cost::new().spend(Dollars(1))).is_ok());
}

#[test]
fn a_model_without_a_price_is_an_error_and_not_free() {
    refuses(price, "`price` returned none");
    refuses(|_, _| Err::<f64, _>("ask finance"), "ask finance");
    assert!(priced().try_acquire(&question("free", 300)).is_ok());
}

#[test]
fn a_price_that_is_no_amount_is_an_error() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e-9, 1e300] {
        let limiter = builder().jitter(secs(0)).price(move |_, _| number).build().unwrap();
        let error = limiter.try_acquire(&question("m-1", 300)).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("found {number:?}: give a number from 0 to 18.4 trillion")),
            "{error}"
        );
        assert_eq!(taken(&limiter), 0);
    }
}

#[test]
fn a_price_that_panics_is_the_error_of_its_call_alone() {
    refuses::<Dollars>(|_, _| panic!("no such table"), "`price` panicked: no such table");
    refuses::<Dollars>(|model, _| panic!("no {model}"), "`price` panicked: no m-3");
}

#[test]
fn a_request_without_a_model_has_no_price() {
    let limiter = priced();
    let request = json!({ "messages": [{ "role": "user", "content": "Hi" }] });
    let error = limiter.try_acquire(&request).unwrap_err().to_string();
    assert!(error.contains("cannot read `model`") && error.contains("set the key `model`"), "{error}");
    let limiter = builder().model("m-1").price(price).build().unwrap();
    assert!(limiter.try_acquire(&request).is_ok());
}

#[test]
fn a_price_that_fails_at_the_end_keeps_what_was_reserved() {
    let fails = Arc::new(AtomicBool::new(false));
    let broken = Arc::clone(&fails);
    let limiter = builder().jitter(secs(0)).price(move |model: &str, usage: &Usage| {
        assert!(!broken.load(Ordering::Relaxed), "broken");
        price(model, usage)
    });
    let limiter = limiter.requests(Rate::per_day(10)).build().unwrap();
    let permit = limiter.try_acquire(&question("m-1", 300)).unwrap();
    fails.store(true, Ordering::Relaxed);
    permit.settle(Usage::new(20, 5));
    assert_eq!(limiter.status().unwrap().limits[0].available, 1_000_000 - 3_026);
    assert!(limiter.try_acquire(Cost::new().spend(Dollars(0))).is_ok());
}

#[test]
fn a_price_that_blocks_delays_nobody_else() {
    let (enter, entered) = mpsc::channel();
    let (leave, left) = mpsc::channel::<()>();
    let left = std::sync::Mutex::new(left);
    let limiter = builder().price(move |model: &str, usage: &Usage| {
        if model == "m-2" {
            enter.send(()).unwrap();
            left.lock().unwrap().recv().unwrap();
        }
        price(model, usage)
    });
    let limiter = limiter.build().unwrap();
    thread::scope(|scope| {
        let slow = scope.spawn(|| limiter.try_acquire(&question("m-2", 30)).map(drop));
        entered.recv().unwrap();
        let permit = limiter.try_acquire(&question("m-1", 30)).unwrap();
        permit.settle(Usage::new(13, 30));
        limiter.status().unwrap();
        leave.send(()).unwrap();
        assert!(slow.join().unwrap().is_ok());
    });
}

#[test]
fn a_cost_must_state_its_money() {
    let budget = Dollars(1) / Unit::day;
    let limiter =
        RateLimiter::builder().name("any").spend(budget).tokens(Rate::per_day(100)).build().unwrap();
    for error in [
        limiter.try_acquire(9).unwrap_err(),
        limiter.acquire(Cost::new()).blocking().unwrap_err(),
        limiter.try_acquire(Cost::new().tokens(9).with("spend_", 1)).unwrap_err(),
    ] {
        assert!(!matches!(error, AcquireError::WouldWait { .. }), "{error}");
    }
    let error = limiter.try_acquire(9).unwrap_err().to_string();
    assert!(error.contains("`Cost::new().spend(Dollars::from_cents(2))`"), "{error}");
    let permit = limiter.try_acquire(Cost::new().tokens(9).spend(Dollars::from_cents(2))).unwrap();
    // Without a model, only the money itself can be settled.
    permit.settle(Usage::new(1, 1).spend(Dollars::from_cents(1)));
    assert_eq!(limiter.status().unwrap().limits[0].available, 990_000 - 1);
    // Requests would be free without a price.
    let limiter = builder().build().unwrap();
    let error = limiter.try_acquire(&question("m-1", 9)).unwrap_err().to_string();
    assert!(error.contains("set `price` or `prices`"), "{error}");
}

#[test]
fn a_cost_of_money_is_unknown_to_a_limiter_without_a_budget() {
    let limiter = RateLimiter::builder().requests(Rate::per_day(9)).build().unwrap();
    let error = limiter.try_acquire(Cost::new().spend(Dollars(1))).unwrap_err();
    assert!(matches!(error, AcquireError::UnknownDimension { dimension: Dimension::Spend, .. }), "{error}");
    // The price of a request is not named, so it is ignored as its tokens are.
    let cost = priced().cost(&question("m-1", 300)).unwrap();
    assert!(limiter.try_acquire(&cost).is_ok());
}

#[test]
fn a_price_without_a_budget_is_an_error() {
    let limiter = ChatRateLimiter::builder().requests(Rate::per_day(9)).price(price).build();
    let error = limiter.unwrap_err();
    assert!(matches!(error.problem(), BuildProblem::UnusedPrice), "{error}");
}

#[test]
fn money_is_shown_as_dollars() {
    let limiter = builder().jitter(secs(0)).price(price).build().unwrap();
    drop(limiter.try_acquire(&question("m-2", 300)).unwrap());
    let status = limiter.status().unwrap().to_string();
    assert!(status.starts_with("chat: 0 waiting; $1 / day: $0.6974 available"), "{status}");
    let error = limiter.try_acquire(&question("m-2", 3_000)).unwrap_err().to_string();
    assert_eq!(
        error,
        "limiter `chat` can never admit a call of $3.0026: its limit of $1 / day allows at most $1 for one call; make \
         the request smaller or raise the limit",
    );
    let plan = limiter.plan([&question("m-2", 300)]).unwrap().to_string();
    assert!(plan.contains("$0.3026 taken"), "{plan}");
    assert_eq!(format!("{:?}", Cost::new().spend(Dollars(2))), "Cost { requests: 1, spend: $2 }");
}

#[test]
fn a_budget_is_the_users_own() {
    let limiter = builder().jitter(secs(0)).price(price).discover(true).build().unwrap();
    let permit = limiter.try_acquire(&question("m-1", 300)).unwrap();
    let headers =
        [("x-ratelimit-limit-spend", "9000000"), ("x-ratelimit-remaining-spend", "1"), ("retry-after", "1")];
    permit.observe(&Observation::from_parts(200, headers, b""));
    permit.refused(Observation::from_parts(429, headers, b""));
    let budget = &limiter.status().unwrap().limits[0];
    assert_eq!((budget.pace, budget.provider_allows), (1.0, None));
    limiter.release().unwrap();
    let error = limiter.try_acquire(&question("m-1", 200_000)).unwrap_err();
    assert!(matches!(error, AcquireError::TooLarge { dimension: Dimension::Spend, .. }), "{error}");
}

#[test]
fn a_budget_refills_over_its_period() {
    let clock = ManualClock::new();
    let budget = Budget::new(Dollars(10), secs(600));
    let limiter = RateLimiter::builder().clock(&clock).spend(budget).jitter(secs(0)).build().unwrap();
    drop(limiter.try_acquire(Cost::new().spend(Dollars(10))).unwrap());
    let error = limiter.try_acquire(Cost::new().spend(Dollars(1))).unwrap_err();
    let wait = error.retry_after().unwrap();
    assert!(wait >= secs(60) && wait < secs(61), "{wait:?}");
    clock.advance(wait);
    assert!(limiter.try_acquire(Cost::new().spend(Dollars(1))).is_ok());
}

#[tokio::test]
async fn the_attribute_and_its_feedback_settle_money() {
    limiter! {
        static CHAT: MessagesRateLimiter = {
            spend: Dollars(1) / day,
            jitter: secs(0),
            default_output: 100,
            price: price,
        };
    }

    #[rate_limited(limiter = CHAT, params = request, feedback)]
    async fn chat(request: &Value) -> Result<Value, AcquireError> {
        Ok(json!({ "usage": {
            "input_tokens": 20, "cache_read_input_tokens": 1_000, "cache_creation_input_tokens": 5, "output_tokens": 7,
        } }))
    }

    let request =
        json!({ "model": "m-1", "max_tokens": 300, "messages": [{ "role": "user", "content": "Hi" }] });
    chat(&request).await.unwrap();
    // The budget refills by 12 millionths a second meanwhile.
    assert!((900..=1_125).contains(&taken(&CHAT)), "{}", taken(&CHAT));
    let error = chat(&json!({ "model": "m-9", "max_tokens": 3, "messages": [] })).await.unwrap_err();
    assert!(error.to_string().contains("the model \"m-9\" has no price"), "{error}");
}

#[test]
fn each_key_can_have_a_budget_of_its_own() {
    let tenants: Keyed<&str, ChatRateLimiter> = builder()
        .keyed::<&str>()
        .price(price)
        .max_keys(10)
        .limits(
            |tenant: &&str, limits| {
                if *tenant == "big" { limits.spend(Dollars(5) / Unit::day) } else { limits }
            },
        )
        .build()
        .unwrap();
    let request = question("m-1", 90_000);
    let admitted = |tenant| (0..9).filter(|_| tenants.of(tenant).try_acquire(&request).is_ok()).count();
    assert_eq!((admitted(&"small"), admitted(&"big"), admitted(&"other")), (1, 5, 1));
}

#[test]
fn declarations_read_as_they_are_meant() {
    const CENTS: Dollars = Dollars::from_cents(5);
    limiter! {
        static SPEND: ChatRateLimiter = {
            spend: Dollars(10) / day,
            spend: CENTS / minute,
            spend: Dollars::from_cents(20) / hour,
            spend: Dollars(7) / secs(600),
            spend: "$300 / 30d".parse()?,
            prices: Prices::from_json(br#"{"m": {"input_cost_per_token": 1}}"#)?,
        };
    }
    let status = SPEND.status().unwrap();
    let shown: Vec<_> = status.limits.iter().map(|limit| limit.limit.to_string()).collect();
    assert_eq!(shown, ["$10 / day", "$0.05 / minute", "$0.20 / hour", "$7 / 600s", "$300 / 2592000s"]);
}
