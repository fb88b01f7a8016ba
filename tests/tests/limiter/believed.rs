//! Usage that a reply states. It is foreign input: a number that no call can use makes no debt of
//! centuries.

use std::io::Read as _;
use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{
    ChatRateLimiter, Cost, Dimension, MessagesRateLimiter, Output, Permit, Rate, RateLimiter, Usage,
};
use openlimit_tests::{Call, millis, plain, question, secs};

const HUGE: &str = r#"{"usage": {"prompt_tokens": 18446744073709551615, "completion_tokens": 9}}"#;

/// A call that ends, and how.
type End = fn(Permit);

/// The ways in which a reply settles a call.
const READ: [(&str, End); 4] = [
    ("the whole response", |permit| {
        _ = permit.responded(&Observation::from_parts(200, NONE, HUGE.as_bytes()))
    }),
    ("headers", |permit| _ = permit.responded(&Observation::from_parts(200, HEADERS, b""))),
    ("a body that passes", |permit| {
        let mut reply = permit.wrap_read(HUGE.as_bytes());
        reply.read_to_end(&mut Vec::new()).expect("it is in memory");
    }),
    ("usage that the program passes on", |permit| {
        permit.settle(Usage::from_json(HUGE.as_bytes()).expect("it states usage"));
    }),
];
const NONE: [(&str, &str); 0] = [];
const HEADERS: [(&str, &str); 2] =
    [("x-amzn-bedrock-input-token-count", "9223372036854775807"), ("x-amzn-bedrock-output-token-count", "9")];

/// Returns the wait of a call of one token after one that ended in this way.
fn wait_after(rate: Rate, max_hold: Duration, end: impl Fn(Permit)) -> Duration {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(rate).max_hold(max_hold).build().expect("valid rates");
    end(limiter.try_acquire(1).expect("there is room"));
    limiter.wait_for(Cost::new().tokens(1)).expect("a wait")
}

#[test]
fn a_reply_makes_a_debt_of_ten_minutes_or_the_longest_hold_at_most() {
    let rate = Rate::per_second(100).burst(secs(1));
    for (how, end) in READ {
        for (hold, debt) in [(0, 600), (600, 600), (3_600, 3_600)] {
            let wait = wait_after(rate, secs(hold), end);
            // Less the burst, in which one token has to be free.
            assert_eq!(wait, secs(debt - 1) + millis(10), "{how}");
        }
    }
}

#[test]
fn a_reply_is_believed_as_far_as_the_largest_call_that_is_admitted() {
    let rate = Rate::per_day(86_400).burst(secs(1));
    for (how, end) in READ {
        assert_eq!(wait_after(rate, secs(600), end), secs(86_400), "{how}");
    }
}

#[test]
fn what_a_call_may_really_use_is_believed() {
    // More than a minute of the limit, as a long output may use.
    let rate = Rate::per_minute(6_000).burst(secs(1));
    let body = br#"{"usage": {"total_tokens": 30000}}"#;
    let end = |permit: Permit| _ = permit.responded(&Observation::from_parts(200, NONE, body));
    for hold in [0, 60, 600] {
        assert_eq!(wait_after(rate, secs(hold), end), secs(299) + millis(10));
    }
}

#[test]
fn what_the_program_states_itself_is_believed() {
    let rate = Rate::per_second(100).burst(secs(1));
    let wait = wait_after(rate, secs(600), |permit| permit.settle(1_000_000));
    assert_eq!(wait, secs(9_999) + millis(10));
}

#[test]
fn each_limit_of_a_dimension_bounds_what_is_believed() {
    let clock = ManualClock::new();
    let day = Rate::per_day(1_000_000);
    let limiter = plain(&clock).tokens(Rate::per_second(100)).tokens(day).build().expect("valid rates");
    let permit = limiter.try_acquire(1).expect("there is room");
    permit.responded(&Observation::from_parts(200, NONE, HUGE.as_bytes()));
    let status = limiter.status().expect("a status");
    assert_eq!(status.limits[1].available, 1_000_000 - 60_000);
}

#[test]
fn money_that_follows_from_such_usage_is_bounded_too() {
    use openlimit::{Dollars, Unit};
    let price = |_: &str, usage: &Usage| Some(Dollars::from_micros(usage.uncached_input()));
    let clock = ManualClock::new();
    let builder = ChatRateLimiter::builder().clock(&clock).headroom(openlimit::Percent(0));
    let limiter = builder.spend(Dollars(1) / Unit::day).price(price).build().expect("valid options");
    let permit = limiter.try_acquire(&question("gpt-4o", 10)).expect("there is room");
    permit.responded(&Observation::from_parts(200, NONE, HUGE.as_bytes()));
    // All of the day, and no more.
    let wait = limiter.wait_for(Cost::new().spend(Dollars::from_micros(1))).expect("a wait");
    assert!(wait < secs(86_400), "{wait:?}");
    assert_eq!(limiter.status().expect("a status").limits[0].available, 0);
}

#[test]
fn nothing_is_learned_from_it() {
    let clock = ManualClock::new();
    let builder = ChatRateLimiter::builder().clock(&clock).output(Output::Learned);
    let limiter = builder.tokens(Rate::per_minute(1_000_000)).build().expect("valid options");
    let request = question("gpt-4o", 1_000);
    let call = || {
        let call = Call::start(limiter.acquire(&request));
        clock.advance(secs(3_600));
        call.admitted()
    };
    (0..20).for_each(|_| call().settle(Usage::new(13, 50)));
    let replies = [
        r#"{"usage": {"prompt_tokens": 13, "completion_tokens": 18446744073709551615}}"#,
        // The total is right, and its parts are not.
        r#"{"usage": {"prompt_tokens": 13, "completion_tokens": 18446744073709551615, "total_tokens": 63}}"#,
        r#"{"usage": {"prompt_tokens": 18446744073709551615, "completion_tokens": 50, "total_tokens": 63}}"#,
    ];
    for reply in replies {
        call().responded(&Observation::from_parts(200, NONE, reply.as_bytes()));
        assert_eq!(call().cost().amount(&Dimension::Tokens), 63, "{reply}");
    }
}

#[test]
fn nothing_is_learned_from_a_call_of_which_an_early_part_is_not_believed() {
    let clock = ManualClock::new();
    let builder = MessagesRateLimiter::builder().clock(&clock);
    let limiter = builder.input_tokens(Rate::per_minute(1_000)).build().expect("a valid rate");
    let request = question("claude-sonnet-4-5", 100);
    let call = || {
        clock.advance(secs(3_600));
        limiter.try_acquire(&request).expect("there is room")
    };
    let reserved = call().cost();
    let part = |text: &str| Usage::from_json(text.as_bytes()).expect("it states usage");
    let mut permit = call();
    permit.settle_so_far(part(r#"{"usage": {"input_tokens": 1000000000000, "output_tokens": 1}}"#));
    permit.settle(part(r#"{"usage": {"output_tokens": 9}}"#));
    assert_eq!(call().cost(), reserved);
}

#[test]
fn each_limiter_of_a_stack_believes_as_much_as_its_own_limits_allow() {
    let clock = ManualClock::new();
    let limiter = |tokens| plain(&clock).tokens(Rate::per_second(tokens)).build().expect("valid rates");
    let (tenant, account): (RateLimiter, RateLimiter) = (limiter(10), limiter(100));
    let stack = openlimit::Stack::of((&tenant, &account));
    let permit = stack.try_acquire(1).expect("there is room");
    permit.responded(&Observation::from_parts(200, NONE, HUGE.as_bytes()));
    let wait = |limiter: &RateLimiter| limiter.wait_for(Cost::new().tokens(1)).expect("a wait");
    assert_eq!([wait(&tenant), wait(&account)], [secs(599) + millis(100), secs(599) + millis(10)]);
}
