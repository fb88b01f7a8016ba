//! `on_wait` of stacked calls: each limiter is told of the calls that wait long for it, once.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{Builder, Cost, Rate, RateLimiter, Stack, WaitReason, Waiting, kind};
use openlimit_tests::{Call, millis, plain, secs};

/// A limiter, and the long waits that it was told of.
struct Told(RateLimiter, Arc<Mutex<Vec<Waiting>>>);

impl Told {
    fn new(builder: Builder<kind::Explicit>) -> Self {
        let told = Arc::<Mutex<Vec<Waiting>>>::default();
        let all = Arc::clone(&told);
        let on_wait = move |waiting: &Waiting| all.lock().expect("no thread panics").push(waiting.clone());
        Self(builder.on_wait(on_wait).build().expect("valid options"), told)
    }

    /// Returns what it was told since this was last called.
    fn news(&self) -> Vec<Waiting> {
        self.1.lock().expect("no thread panics").split_off(0)
    }
}

fn one(mut news: Vec<Waiting>) -> Waiting {
    assert_eq!(news.len(), 1, "{news:?}");
    news.remove(0)
}

fn limiter(clock: &ManualClock, name: &str) -> Builder<kind::Explicit> {
    plain(clock).name(name).requests(Rate::per_second(100))
}

fn pair(clock: &ManualClock) -> [Told; 2] {
    ["tenant", "account"].map(|name| Told::new(limiter(clock, name)))
}

fn hold(limiter: &Told, length: Duration) {
    limiter.0.hold(length, "maintenance").expect("it is built");
}

#[test]
fn a_wait_that_is_known_to_be_long_is_told_on_arrival_by_the_limiter_that_it_is_for() {
    for slow in 0..2 {
        let clock = ManualClock::new();
        let limiters = pair(&clock);
        hold(&limiters[slow], secs(10));
        let stack = Stack::of((&limiters[0].0, &limiters[1].0));
        let mut call = Call::start(stack.acquire(Cost::new()));
        let waiting = one(limiters[slow].news());
        assert_eq!(&*waiting.limiter, ["tenant", "account"][slow]);
        assert_eq!((waiting.reason, waiting.waited), (WaitReason::Hold, Duration::ZERO));
        assert!(waiting.wait.is_some_and(|wait| wait >= secs(10)), "{waiting}");
        clock.advance(secs(5));
        assert!(!call.poll());
        assert_eq!(call.wakes(), 0, "it was told already");
        clock.advance(secs(10));
        drop(call.admitted());
        assert!(limiters.iter().all(|limiter| limiter.news().is_empty()));
    }
}

#[test]
fn the_calls_before_it_count_in_its_wait() {
    let clock = ManualClock::new();
    let account = Told::new(plain(&clock).name("account").requests(Rate::per_second(1)));
    let tenant = Told::new(limiter(&clock, "tenant"));
    drop(account.0.try_acquire(Cost::new()).expect("it is new"));
    let _before: Vec<_> = (0..2).map(|_| Call::start(account.0.acquire(Cost::new()))).collect();
    drop(account.news());
    let _call = Call::start(Stack::of((&tenant.0, &account.0)).acquire(Cost::new()));
    let waiting = one(account.news());
    assert_eq!((waiting.wait, waiting.position), (Some(secs(3)), 2), "{waiting}");
}

#[test]
fn each_limiter_is_told_when_the_wait_for_it_begins() {
    let clock = ManualClock::new();
    let [tenant, account] = pair(&clock);
    hold(&tenant, secs(5));
    hold(&account, secs(20));
    let mut call = Call::start(Stack::of((&tenant.0, &account.0)).acquire(Cost::new()));
    assert_eq!(one(tenant.news()).reason, WaitReason::Hold);
    assert!(account.news().is_empty(), "it does not wait for it yet");
    clock.advance(secs(6));
    assert_eq!(call.wakes(), 1, "its task has to tell it");
    assert!(account.news().is_empty());
    assert!(!call.poll() && !call.poll());
    let waiting = one(account.news());
    assert!(waiting.waited >= secs(5) && waiting.wait >= Some(secs(14)), "{waiting}");
    clock.advance(secs(20));
    drop(call.admitted());
    assert!(tenant.news().is_empty() && account.news().is_empty());
}

#[test]
fn a_wait_that_becomes_long_is_told_after_a_second() {
    let clock = ManualClock::new();
    let (tenant, account) = (Told::new(limiter(&clock, "tenant")), limiter(&clock, "account").concurrency(1));
    let account = Told::new(account);
    let stack = Stack::of((&tenant.0, &account.0));
    let first = stack.try_acquire(Cost::new()).expect("there is room");
    let mut call = Call::start(stack.acquire(Cost::new()));
    clock.advance(millis(999));
    assert!(!call.poll());
    assert_eq!((call.wakes(), account.news()), (0, vec![]));
    clock.advance(millis(1));
    assert_eq!(call.wakes(), 1);
    assert!(!call.poll());
    let waiting = one(account.news());
    assert_eq!((waiting.reason, waiting.waited, waiting.wait), (WaitReason::Concurrency, secs(1), None));
    drop(first);
    drop(call.admitted());
    assert_eq!((tenant.news(), account.news()), (vec![], vec![]));
}

#[test]
fn a_call_behind_one_that_waits_for_another_limiter_is_told_so() {
    let clock = ManualClock::new();
    let [tenant, account] = pair(&clock);
    hold(&account, secs(10));
    let stack = Stack::of((&tenant.0, &account.0));
    let first = Call::start(stack.acquire(Cost::new()));
    let mut behind = [Call::start(tenant.0.acquire(Cost::new())), Call::start(stack.acquire(Cost::new()))];
    clock.advance(secs(1));
    behind.iter_mut().for_each(|call| assert!(!call.poll()));
    let news = tenant.news();
    let reasons: Vec<_> = news.iter().map(|waiting| (waiting.reason, waiting.position)).collect();
    assert_eq!(reasons, [(WaitReason::Stack, 1), (WaitReason::Stack, 2)]);
    let text = "tenant: has waited for 1s, for a call that waits for another limiter, behind 1 call";
    assert_eq!(news[0].to_string(), text);
    assert_eq!(account.news().len(), 1, "only the first call waits for it");
    clock.advance(secs(10));
    drop(first.admitted());
    behind.into_iter().for_each(|call| drop(call.admitted()));
}

#[test]
fn short_waits_are_not_told() {
    let clock = ManualClock::new();
    let [tenant, account] = pair(&clock);
    let stack = Stack::of((&tenant.0, &account.0));
    for slow in [&tenant, &account] {
        drop(slow.0.try_acquire(Cost::new().requests(100)).expect("there is room"));
        let call = Call::start(stack.acquire(Cost::new().requests(50)));
        clock.advance(millis(500));
        assert_eq!(call.wakes(), 1, "it was woken by more than its admission");
        drop(call.admitted());
        clock.advance(secs(10));
    }
    assert_eq!((tenant.news(), account.news()), (vec![], vec![]));
}

#[test]
fn a_turn_that_is_lost_again_is_watched_again() {
    let clock = ManualClock::new();
    let [tenant, account] = pair(&clock);
    hold(&account, secs(10));
    let mut call = Call::start(Stack::of((&tenant.0, &account.0)).acquire(Cost::new()));
    assert_eq!(account.news().len(), 1);
    clock.advance(secs(5));
    hold(&tenant, secs(30));
    clock.advance(secs(6));
    clock.advance(secs(1));
    assert!(!call.poll());
    assert_eq!(one(tenant.news()).reason, WaitReason::Hold);
    clock.advance(secs(60));
    drop(call.admitted());
}

#[test]
fn a_call_that_is_woken_twice_before_it_is_told_is_not_lost() {
    let clock = ManualClock::new();
    let [tenant, account] =
        ["tenant", "account"].map(|name| Told::new(plain(&clock).name(name).requests(Rate::per_second(1))));
    let stack = Stack::of((&tenant.0, &account.0));
    drop(stack.try_acquire(Cost::new()).expect("there is room"));
    let call = Call::start(stack.acquire(Cost::new()));
    hold(&account, secs(2));
    clock.advance(secs(1));
    // It has joined the queue of the account, and its task has not polled it since.
    hold(&tenant, secs(5));
    clock.advance(secs(10));
    drop(call.admitted());
}

#[test]
fn a_function_that_panics_loses_no_call() {
    let clock = ManualClock::new();
    let panics = || limiter(&clock, "panics").on_wait(|_| resume_unwind(Box::new("panic")));
    let (tenant, account) =
        (panics().build().expect("valid options"), panics().build().expect("valid options"));
    account.hold(secs(5), "maintenance").expect("it is built");
    let stack = Stack::of((&tenant, &account));
    let calls = [(); 3].map(|()| Call::start(stack.acquire(Cost::new())));
    clock.advance(secs(6));
    calls.into_iter().for_each(|call| drop(call.admitted()));
}
