//! Events: each is emitted once, seldom if a provider is hostile, outside of the lock, and with
//! nothing that the provider wrote.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{Cost, Counting, Rate, RateLimiter, Stack, Usage};
use openlimit_tests::{Call, plain, secs};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Collects the events as text, and uses the limiter on each of them: that would never return under
/// its lock.
#[derive(Clone)]
struct Collector(Arc<Mutex<Vec<String>>>, RateLimiter, Level);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let result = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        result.expect("a string takes any text");
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.2
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        assert_eq!(event.metadata().target(), "openlimit");
        let mut text = Text(format!("{} ", event.metadata().level()));
        event.record(&mut text);
        self.1.status().expect("it is built");
        self.0.lock().expect("no test panics").push(text.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Returns the events of an act, without those of each call.
fn events(limiter: &RateLimiter, act: impl FnOnce()) -> Vec<String> {
    events_to(Level::INFO, limiter, act)
}

fn events_to(level: Level, limiter: &RateLimiter, act: impl FnOnce()) -> Vec<String> {
    let collector = Collector(Arc::default(), limiter.clone(), level);
    tracing::subscriber::with_default(collector.clone(), act);
    let events = collector.0.lock().expect("no test panics");
    events.clone()
}

fn tokens(of: u64) -> Observation {
    let of = of.to_string();
    Observation::from_parts(200, [("x-ratelimit-limit-tokens", of.as_str())], b"")
}

fn limiter(clock: &ManualClock) -> RateLimiter {
    let limiter = plain(clock).name("chat").requests(Rate::per_minute(600)).tokens(Rate::per_minute(200_000));
    limiter.build().expect("valid rates")
}

fn refuse(limiter: &RateLimiter, body: &str) {
    let refusal = Observation::from_parts(429, [("retry-after-ms", "1")], body.as_bytes());
    limiter.try_acquire(Cost::new()).expect("there is room").refused(&refusal);
}

#[test]
fn a_limit_that_differs_is_reported_once_per_change() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let observe = |of| limiter.observe(&tokens(of)).expect("it is built");
    assert!(events(&limiter, || observe(200_000)).is_empty());
    let reported = events(&limiter, || (0..100).for_each(|_| observe(30_000)));
    let differs = "WARN declared 200000 tokens / minute, the provider allows 30000 \
                   limiter=chat declared=200000 allows=30000";
    assert_eq!(reported, [differs]);
    clock.advance(secs(10));
    let back = "INFO the provider allows 200000 tokens / minute again, as declared \
                limiter=chat declared=200000 allows=200000";
    assert_eq!(events(&limiter, || observe(200_000)), [back]);
}

#[test]
fn limits_that_alternate_with_every_response_are_reported_seldom() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let reported = events(&limiter, || {
        for step in 0..10_000 {
            clock.advance(openlimit_tests::millis(6));
            limiter.observe(&tokens(30_000 + step % 2)).expect("it is built");
        }
    });
    assert!(reported.len() <= 7, "{} in a minute", reported.len());
}

#[test]
fn a_hold_is_reported_when_it_begins_and_when_it_ends_early() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let reported = events(&limiter, || {
        limiter.hold(secs(20), "maintenance").expect("it is built");
        limiter.hold(secs(21), "maintenance").expect("it is built");
        limiter.hold(secs(1), "too short to matter").expect("it is built");
        clock.advance(secs(5));
        limiter.release().expect("it is built");
        limiter.release().expect("it is built");
    });
    let expected = [
        "INFO on hold for 20s limiter=chat seconds=20.0 reason=\"maintenance\"",
        "INFO the hold ended 16s early limiter=chat",
    ];
    assert_eq!(reported, expected);
}

#[test]
fn a_refusal_is_reported_with_its_verdict_and_the_setting_is_suggested_once() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let act = || {
        for _ in 0..3 {
            refuse(&limiter, "");
            clock.advance(secs(4));
        }
        refuse(&limiter, "");
    };
    let reported = events(&limiter, act);
    let (holds, others): (Vec<_>, Vec<_>) = reported.iter().partition(|event| event.contains("on hold"));
    assert_eq!(holds.len(), 2);
    let refused =
        "WARN the provider refused a call limiter=chat status=429 verdict=Retry { after: Some(1ms) }";
    let suggested = "WARN the declared limits do not explain a refusal; if the provider counts in windows, \
                     set `counting: Counting::InWindows` limiter=chat";
    assert_eq!(others, [&format!("{refused} more=0"), suggested, &format!("{refused} more=2")]);
    let status = limiter.status().expect("it is built");
    assert_eq!(status.unexplained_refusals, 4);
    let suggestion = "4 refused although there was room: the provider allows less, or it counts in \
                      windows: then set `counting: Counting::InWindows`";
    assert!(status.to_string().ends_with(suggestion), "{status}");
}

#[test]
fn refusals_that_something_explains_suggest_nothing() {
    let clock = ManualClock::new();
    // A response has said what is left.
    let told = limiter(&clock);
    told.observe(&tokens(200_000)).expect("it is built");
    refuse(&told, "");
    // The refusal says it itself.
    let message = limiter(&clock);
    let openai = r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Used 29700, Requested 400. Please try again in 200ms.","type":"tokens","code":"rate_limit_exceeded"}}"#;
    refuse(&message, openai);
    // The limits are counted in windows already.
    let windows = plain(&clock).requests(Rate::per_minute(600)).counting(Counting::InWindows);
    let windows = windows.build().expect("valid rates");
    refuse(&windows, "");
    // An overloaded provider, an exhausted quota, and a broken one.
    let others = limiter(&clock);
    for (status, body) in [(529, ""), (429, r#"{"error":{"code":"insufficient_quota"}}"#), (500, "")] {
        let refusal = Observation::from_parts(status, [("retry-after-ms", "1")], body.as_bytes());
        others.try_acquire(Cost::new()).expect("there is room").refused(&refusal);
        clock.advance(secs(601));
    }
    for limiter in [told, message, windows, others] {
        assert_eq!(limiter.status().expect("it is built").unexplained_refusals, 0, "{limiter:?}");
    }
}

#[test]
fn no_event_contains_what_the_provider_wrote() {
    const SECRET: &str = "sk-secret";
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let body = format!(
        r#"{{"error":{{"message":"{SECRET}: Limit 30000, Used 1, Requested 2. Please try again in 20s.","type":"{SECRET}","code":"{SECRET}","param":"{SECRET}"}}}}"#
    );
    let headers = [
        ("retry-after", "20"),
        ("x-request-id", SECRET),
        ("set-cookie", SECRET),
        ("authorization", SECRET),
        ("x-ratelimit-limit-requests", "300"),
        ("x-ratelimit-limit-tokens", SECRET),
        ("x-ratelimit-reset-tokens", SECRET),
    ];
    let reported = events(&limiter, || {
        let refusal = Observation::from_parts(429, headers, body.as_bytes());
        limiter.try_acquire(Cost::new()).expect("there is room").refused(&refusal);
    });
    assert_eq!(reported.len(), 3, "{reported:?}");
    assert!(reported.iter().all(|event| !event.contains(SECRET)), "{reported:?}");
}

#[test]
fn each_call_is_an_event_when_it_is_admitted_refused_and_settled() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").requests(Rate::per_minute(60)).tokens(Rate::per_second(900));
    let limiter = limiter.build().expect("valid rates");
    let reported = events_to(Level::DEBUG, &limiter, || {
        let first = limiter.try_acquire(900).expect("there is room");
        let waits = Call::start(limiter.acquire(90));
        let behind = Call::start(limiter.acquire(0));
        assert!(limiter.try_acquire(1).is_err());
        first.settle(Usage::new(300, 100));
        clock.advance(secs(1));
        drop(waits.admitted());
        clock.advance(secs(1));
        drop(behind.admitted());
    });
    let expected = [
        "DEBUG admitted limiter=chat waited=0.0 position=0 reserved=1 requests, 900 tokens",
        "DEBUG not admitted: would_wait limiter=chat",
        "DEBUG settled limiter=chat reserved=1 requests, 900 tokens actual=1 requests, 400 tokens",
        "DEBUG admitted limiter=chat waited=1.0 limit=\"60 requests / minute\" position=0 reserved=1 requests, 90 tokens",
        "DEBUG admitted limiter=chat waited=2.0 limit=\"60 requests / minute\" position=1 reserved=1 requests, 0 tokens",
    ];
    assert_eq!(reported, expected);
}

#[test]
fn a_stacked_call_is_an_event_of_each_limiter_and_its_refusal_one_of_the_limiter_that_refused_it() {
    let clock = ManualClock::new();
    let tenant = plain(&clock).name("tenant").requests(Rate::per_second(9)).build().expect("valid rates");
    let account = plain(&clock).name("account").tokens(Rate::per_second(900)).build().expect("valid rates");
    let stack = Stack::of((&tenant, &account));
    let reported = events_to(Level::DEBUG, &account, || {
        let first = stack.try_acquire(900).expect("there is room");
        assert!(stack.try_acquire(1).is_err());
        let waits = Call::start(stack.acquire(90));
        first.settle(Usage::new(840, 15));
        clock.advance(secs(1));
        drop(waits.admitted());
    });
    let expected = [
        "DEBUG admitted limiter=tenant waited=0.0 position=0 reserved=1 requests",
        "DEBUG admitted limiter=account waited=0.0 position=0 reserved=900 tokens",
        "DEBUG not admitted: would_wait limiter=account",
        "DEBUG settled limiter=account reserved=900 tokens actual=855 tokens",
        "DEBUG settled limiter=tenant reserved=1 requests actual=1 requests",
        "DEBUG admitted limiter=tenant waited=0.0 position=0 reserved=1 requests",
        "DEBUG admitted limiter=account waited=0.05 limit=\"900 tokens / second\" position=0 reserved=90 tokens",
    ];
    assert_eq!(reported, expected);
}
