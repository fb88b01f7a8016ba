//! Tests of what a program learns about waits: `wait_for` before a call, and `on_wait` when a long
//! one begins.

use std::panic::resume_unwind;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Priority, Rate, RateLimiter, WaitReason, Waiting, limiter};
use openlimit_tests::{Call, millis, plain, secs};

type Told = Arc<Mutex<Vec<Waiting>>>;

/// Returns a limiter of one request a second, and what it tells of long waits.
fn limiter(clock: &ManualClock) -> (RateLimiter, Told) {
    let told = Told::default();
    let all = Arc::clone(&told);
    let on_wait = move |waiting: &Waiting| all.lock().expect("no thread panics").push(waiting.clone());
    let limiter = plain(clock).name("chat").requests(Rate::per_minute(60)).on_wait(on_wait);
    (limiter.build().expect("valid rates"), told)
}

fn call(limiter: &RateLimiter) -> Call {
    Call::start(limiter.acquire(Cost::new()))
}

fn count(told: &Told) -> usize {
    told.lock().expect("no thread panics").len()
}

fn last(told: &Told) -> Waiting {
    told.lock().expect("no thread panics").last().expect("a wait was told").clone()
}

#[test]
fn a_wait_that_is_known_to_be_long_is_told_once_and_on_arrival() {
    let clock = ManualClock::new();
    let (limiter, told) = limiter(&clock);
    drop(call(&limiter).admitted());
    let short = call(&limiter);
    assert_eq!(count(&told), 0, "a wait of one second is not long");
    let mut long = call(&limiter);
    assert_eq!(count(&told), 1);
    let waiting = last(&told);
    assert_eq!((waiting.reason, waiting.position), (WaitReason::Limit, 1));
    assert_eq!((waiting.waited, waiting.wait), (Duration::ZERO, Some(secs(2))));
    assert_eq!(waiting.limit.as_ref().map(ToString::to_string).as_deref(), Some("60 requests / minute"));
    let text = "chat: waits for at least 2s, for 60 requests / minute, behind 1 call";
    assert_eq!(waiting.to_string(), text);
    clock.advance(millis(1_500));
    assert!(!long.poll());
    assert_eq!((count(&told), long.wakes()), (1, 0), "it was told again");
    drop(short.admitted());
    clock.advance(millis(500));
    drop(long.admitted());
    assert_eq!(count(&told), 1);
}

#[test]
fn a_wait_that_becomes_long_is_told_when_it_has_lasted_a_second() {
    let clock = ManualClock::new();
    let (limiter, told) = limiter(&clock);
    drop(call(&limiter).admitted());
    let mut waits = call(&limiter);
    clock.advance(millis(500));
    limiter.hold(secs(10), "maintenance").expect("it is built");
    clock.advance(millis(499));
    assert!(!waits.poll());
    assert_eq!((count(&told), waits.wakes()), (0, 0));
    clock.advance(millis(1));
    assert_eq!(waits.wakes(), 1, "its task was not woken");
    assert!(!waits.poll() && !waits.poll());
    assert_eq!(count(&told), 1);
    let waiting = last(&told);
    assert_eq!((waiting.reason, waiting.limit.clone(), waiting.position), (WaitReason::Hold, None, 0));
    assert_eq!(waiting.waited, secs(1));
    assert!(waiting.wait.is_some_and(|wait| wait >= millis(9_500)), "{waiting:?}");
    assert!(waiting.to_string().starts_with("chat: has waited for 1s, and at least "), "{waiting}");
    clock.advance(secs(20));
    drop(waits.admitted());
    assert_eq!(count(&told), 1);
}

#[test]
fn short_waits_and_calls_that_leave_are_not_told() {
    let clock = ManualClock::new();
    let (limiter, told) = limiter(&clock);
    for _ in 0..20 {
        drop(call(&limiter).admitted());
        let waits = call(&limiter);
        clock.advance(secs(1));
        assert_eq!(waits.wakes(), 1, "it was woken by more than its admission");
        drop(waits.admitted());
        clock.advance(secs(1));
    }
    drop(call(&limiter).admitted());
    drop(call(&limiter));
    limiter.hold(secs(60), "maintenance").expect("it is built");
    clock.advance(secs(61));
    assert_eq!(count(&told), 0);
}

#[test]
fn a_function_that_panics_loses_no_call() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(60)).on_wait(|_| resume_unwind(Box::new("panic")));
    let limiter = limiter.build().expect("valid rates");
    drop(call(&limiter).admitted());
    let waits = [call(&limiter), call(&limiter), call(&limiter)];
    clock.advance(secs(1));
    clock.advance(secs(1));
    clock.advance(secs(1));
    waits.into_iter().for_each(|waits| drop(waits.admitted()));
}

#[test]
fn a_function_that_blocks_delays_its_own_call_only() {
    let clock = ManualClock::new();
    let (begins, began) = channel();
    let (ends, end) = channel::<()>();
    let (begins, end) = (Mutex::new(begins), Mutex::new(Some(end)));
    let on_wait = move |_: &Waiting| {
        // Only the first call blocks. So it takes this before the test makes another one.
        let end = end.lock().expect("no thread panics").take();
        begins.lock().expect("no thread panics").send(()).expect("the test receives it");
        if let Some(end) = end {
            end.recv().expect("the test ends it");
        }
    };
    let limiter = plain(&clock).requests(Rate::per_minute(60)).on_wait(on_wait).build().expect("valid rates");
    drop(call(&limiter).admitted());
    limiter.hold(secs(3), "maintenance").expect("it is built");
    thread::scope(|scope| {
        let blocked = scope.spawn(|| limiter.acquire(Cost::new()).blocking());
        began.recv_timeout(secs(60)).expect("the function was called");
        let other = call(&limiter);
        (0..6).for_each(|_| clock.advance(secs(1)));
        drop(other.admitted());
        assert_eq!(limiter.status().expect("it is built").waiting, 0);
        ends.send(()).expect("the function waits for it");
        drop(blocked.join().expect("it does not panic").expect("it was admitted meanwhile"));
    });
}

#[test]
fn a_function_may_use_the_limiter_and_its_own_calls_are_not_told() {
    static LIMITER: OnceLock<RateLimiter> = OnceLock::new();
    let clock = ManualClock::new();
    let told = Told::default();
    let all = Arc::clone(&told);
    let on_wait = move |waiting: &Waiting| {
        all.lock().expect("no thread panics").push(waiting.clone());
        let limiter = LIMITER.get().expect("it is set");
        assert_eq!(limiter.status().expect("it is built").waiting, 2);
        drop(call(limiter));
        assert!(limiter.try_acquire(Cost::new()).is_err());
    };
    let limiter = plain(&clock).requests(Rate::per_minute(60)).on_wait(on_wait).build().expect("valid rates");
    let limiter = LIMITER.get_or_init(|| limiter);
    drop(call(limiter).admitted());
    let _waits = [call(limiter), call(limiter)];
    assert_eq!(count(&told), 1);
}

#[test]
fn it_is_a_key_of_a_declaration() {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    limiter! {
        static SLOW: RateLimiter = {
            requests: 1 / hour,
            on_wait: |waiting| TOLD.lock().expect("no thread panics").push(waiting.to_string()),
        };
    }
    drop(SLOW.try_acquire(Cost::new()).expect("there is room"));
    let waits = SLOW.acquire(Cost::new());
    let mut waits = Call::start(waits);
    assert!(!waits.poll());
    let told = TOLD.lock().expect("no thread panics");
    assert_eq!(told.len(), 1);
    assert!(
        told[0].contains("SLOW: waits for at least ") && told[0].ends_with(", for 1 requests / hour"),
        "{told:?}"
    );
}

#[test]
fn an_estimate_is_the_wait_of_the_call_that_is_made_next() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(60)).tokens(Rate::per_second(100));
    let limiter = limiter.build().expect("valid rates");
    let wait_for = |tokens| limiter.wait_for(Cost::new().tokens(tokens)).expect("it can be admitted");
    assert_eq!(wait_for(100), Duration::ZERO);
    drop(limiter.try_acquire(100).expect("it took nothing"));
    assert_eq!(wait_for(0), secs(1), "a request");
    let waits = [call(&limiter), Call::start(limiter.acquire(40)), Call::start(limiter.acquire(30))];
    assert_eq!(wait_for(10), secs(4));
    assert_eq!(limiter.status().expect("it is built").waiting, 3);
    let next = Call::start(limiter.acquire(10));
    (0..4).for_each(|_| clock.advance(secs(1)));
    assert_eq!(next.admitted().waited(), secs(4));
    waits.into_iter().for_each(|waits| drop(waits.admitted()));
}

#[test]
fn an_estimate_counts_holds_and_no_lower_priorities() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(60)).build().expect("valid rates");
    drop(call(&limiter).admitted());
    let low = |_| Call::start(limiter.acquire(Cost::new()).priority(Priority::Low));
    let _low: Vec<_> = (0..5).map(low).collect();
    assert_eq!(limiter.wait_for(Cost::new()).expect("it can be admitted"), secs(1));
    limiter.hold(secs(20), "maintenance").expect("it is built");
    assert!(limiter.wait_for(Cost::new()).expect("it can be admitted") >= secs(20));
}

#[test]
fn an_estimate_fails_as_the_call_would() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(60)).build().expect("valid rates");
    let error = |cost: Cost| limiter.wait_for(cost).expect_err("it can never be admitted");
    assert!(matches!(error(Cost::new().requests(61)), AcquireError::TooLarge { .. }));
    assert!(matches!(error(Cost::new().images(1)), AcquireError::UnknownDimension { .. }));
    let quota = r#"{"error":{"code":"insufficient_quota"}}"#;
    let refusal = Observation::from_parts(429, [("retry-after", "900")], quota.as_bytes());
    limiter.try_acquire(Cost::new()).expect("there is room").refused(&refusal);
    assert!(matches!(error(Cost::new()), AcquireError::Exhausted { .. }));
    limiter! { static BAD: RateLimiter = { requests: Rate::per_second("five".parse()?) }; }
    assert!(matches!(BAD.wait_for(Cost::new()), Err(AcquireError::Build { .. })));
}

#[test]
fn a_wait_for_a_call_in_flight_is_told_after_a_second() {
    let clock = ManualClock::new();
    let told = Told::default();
    let all = Arc::clone(&told);
    let limiter = plain(&clock).requests(Rate::per_second(100)).concurrency(1).on_wait(move |waiting| {
        all.lock().expect("no thread panics").push(waiting.clone());
    });
    let limiter = limiter.build().expect("valid options");
    let first = call(&limiter).admitted();
    let mut waits = call(&limiter);
    clock.advance(millis(999));
    assert_eq!((waits.wakes(), count(&told)), (0, 0));
    clock.advance(millis(1));
    assert!(!waits.poll());
    let waiting = last(&told);
    assert_eq!((waiting.reason, waiting.wait, waiting.waited), (WaitReason::Concurrency, None, secs(1)));
    drop(first);
    drop(waits.admitted());
}

#[test]
fn a_hold_that_is_over_is_not_what_a_later_call_waits_for() {
    let clock = ManualClock::new();
    let told = Told::default();
    let all = Arc::clone(&told);
    let limiter = plain(&clock).concurrency(1).on_wait(move |waiting| {
        all.lock().expect("no thread panics").push(waiting.clone());
    });
    let limiter = limiter.build().expect("valid options");
    limiter.hold(secs(1), "429").expect("it is built");
    clock.advance(secs(1));
    let _first = call(&limiter).admitted();
    let mut waits = call(&limiter);
    clock.advance(secs(1));
    assert!(!waits.poll());
    let waiting = last(&told);
    assert_eq!((waiting.reason, waiting.wait), (WaitReason::Concurrency, None));
}
