//! Tests of limiters in place of others.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use openlimit::testing::{self, ManualClock};
use openlimit::{AcquireError, BuildProblem, Cost, Keyed, Rate, RateLimiter, limiter, rate_limited};

fn named(name: &str) -> RateLimiter {
    RateLimiter::builder().name(name).requests(Rate::per_day(1)).build().expect("it is sound")
}

/// Returns the name of the limiter that is in the place of this one.
fn name(limiter: &RateLimiter) -> String {
    limiter.status().expect("it is built").limiter.to_string()
}

#[test]
fn an_override_lasts_until_it_is_dropped_and_the_last_one_counts() {
    limiter! { static CHAT: RateLimiter = { requests: 1 / day, name: "real" }; }
    let outer = CHAT.override_with(&named("outer"));
    assert_eq!(name(&CHAT), "outer");
    let inner = CHAT.override_with(&named("inner"));
    assert_eq!(name(&CHAT), "inner");
    drop(outer);
    assert_eq!(name(&CHAT), "inner");
    drop(inner);
    assert_eq!(name(&CHAT), "real");
}

#[test]
fn an_annotated_function_uses_it() {
    limiter! { static CHAT: RateLimiter = { requests: 1 / day }; }

    #[rate_limited(limiter = CHAT, timeout = Duration::ZERO)]
    fn ask() -> Result<(), AcquireError> {
        Ok(())
    }

    ask().expect("the first of the day");
    assert!(ask().is_err());
    {
        let _guard = CHAT.override_with(&testing::unlimited());
        (0..100).for_each(|_| ask().expect("no limit"));
    }
    assert!(ask().is_err(), "what the real limiter has taken stays");
}

#[test]
fn clones_from_before_are_replaced_too_and_other_limiters_are_not() {
    limiter! {
        static CHAT: RateLimiter = { requests: 1 / day, name: "real" };
        static OTHER: RateLimiter = { requests: 1 / day, name: "other" };
    }
    let clone = CHAT.clone();
    let _guard = CHAT.override_with(&named("test"));
    assert_eq!(name(&clone), "test");
    assert_eq!(name(&clone.clone()), "test");
    assert_eq!(name(&OTHER), "other");

    let built = named("built");
    let copy = built.clone();
    let _guard = built.override_with(&named("test"));
    assert_eq!((name(&built), name(&copy)), ("test".into(), "test".into()));
}

#[test]
fn a_permit_keeps_its_limiter() {
    let clock = ManualClock::new();
    let real = RateLimiter::builder().requests(Rate::per_day(5)).jitter(Duration::ZERO).clock(&clock);
    let real = real.build().expect("it is sound");
    let permit = real.try_acquire(Cost::new()).expect("it is new");
    let prepared = real.acquire(Cost::new());
    let guard = real.override_with(&named("test"));
    permit.cancel();
    drop(prepared.blocking().expect("there is room"));
    drop(guard);
    assert_eq!(real.status().expect("it is built").limits[0].available, 4);
}

#[test]
fn a_static_that_is_replaced_is_not_built() {
    limiter! { static CHAT: RateLimiter = { requests: panics() }; }

    fn panics() -> Rate {
        panic!("built")
    }

    let _guard = CHAT.override_with(&testing::unlimited());
    CHAT.init().expect("the other one is built");
    drop(CHAT.try_acquire(Cost::new()).expect("no limit"));
}

#[test]
fn a_limiter_that_cannot_be_built_replaces_another_as_it_is() {
    limiter! {
        static CHAT: RateLimiter = { requests: 1 / day };
        static BAD: RateLimiter = { requests: Rate::per_day(0) };
    }
    let _guard = CHAT.override_with(&BAD);
    let error = CHAT.try_acquire(Cost::new()).expect_err("a rate of zero");
    let AcquireError::Build(error) = error else { panic!("{error}") };
    assert!(matches!(error.problem(), BuildProblem::ZeroRate(_)));
}

#[test]
fn threads_do_not_see_each_others_overrides() {
    limiter! { static CHAT: RateLimiter = { requests: 1 / day, name: "real" }; }
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for thread in 0..3 {
            let barrier = &barrier;
            scope.spawn(move || {
                let own = thread.to_string();
                let guard = CHAT.override_with(&named(&own));
                barrier.wait();
                assert_eq!(name(&CHAT), own);
                barrier.wait();
                drop(guard);
            });
        }
        barrier.wait();
        assert_eq!(name(&CHAT), "real");
        barrier.wait();
    });
}

#[tokio::test]
async fn tasks_of_a_runtime_on_one_thread_see_it() {
    limiter! { static CHAT: RateLimiter = { requests: 1 / day, name: "real" }; }
    let _guard = CHAT.override_with(&named("test"));
    let task = tokio::spawn(async { name(&CHAT) });
    assert_eq!(task.await.expect("it does not panic"), "test");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_future_sees_it_on_every_thread_and_others_do_not() {
    limiter! { static CHAT: RateLimiter = { requests: 1 / day, name: "real" }; }
    let test = named("test");
    let inside = |_| {
        tokio::spawn(CHAT.override_during(&test, async {
            for _ in 0..50 {
                assert_eq!(name(&CHAT), "test");
                tokio::task::yield_now().await;
            }
        }))
    };
    let inside: Vec<_> = (0..8).map(inside).collect();
    for _ in 0..50 {
        assert_eq!(name(&CHAT), "real");
        tokio::task::yield_now().await;
    }
    for task in inside {
        task.await.expect("it does not panic");
    }
}

#[test]
fn a_future_that_panics_or_is_dropped_leaves_no_override_behind() {
    limiter! { static CHAT: RateLimiter = { requests: 1 / day, name: "real" }; }
    let test = named("test");
    let panics = CHAT.override_during(&test, async { panic!("in the future") });
    let panics = std::panic::AssertUnwindSafe(panics).catch_unwind();
    assert!(panics.now_or_never().expect("it is ready").is_err());
    assert_eq!(name(&CHAT), "real");
    let mut pending = CHAT.override_during(&test, std::future::pending::<()>());
    assert!((&mut pending).now_or_never().is_none());
    assert_eq!(name(&CHAT), "real");
    drop(pending);
    assert_eq!(name(&CHAT), "real");
}

#[test]
fn the_limiter_of_a_key_stays_replaced_while_other_keys_come_and_go() {
    limiter! { static TENANTS: Keyed<u64, RateLimiter> = { requests: 1 / day, name: "real" }; }
    let guard = TENANTS.of(&0).override_with(&named("test"));
    for tenant in 1..10_000 {
        assert_eq!(name(&TENANTS.of(&tenant)), "real");
    }
    assert_eq!(name(&TENANTS.of(&0)), "test");
    drop(guard);
    assert_eq!(name(&TENANTS.of(&0)), "real");
}

#[test]
fn one_limiter_takes_the_place_of_those_of_all_keys() {
    limiter! {
        static TENANTS: Keyed<u64, RateLimiter> = { requests: 1 / day, name: "real" };
        static UNUSED: Keyed<u64, RateLimiter> = { requests: Rate::per_day(0) };
    }
    let clone = TENANTS.clone();
    let guard = TENANTS.override_with(&named("test"));
    assert_eq!([name(&TENANTS.of(&0)), name(&TENANTS.of(&1)), name(&clone.of(&0))], ["test"; 3]);
    {
        let _inner = TENANTS.override_with(&named("inner"));
        assert_eq!(name(&TENANTS.of(&0)), "inner");
    }
    let _guard = UNUSED.override_with(&testing::unlimited());
    drop(UNUSED.of(&0).try_acquire(Cost::new()).expect("no limit"));
    drop(guard);
    assert_eq!([name(&TENANTS.of(&0)), name(&clone.of(&1))], ["real"; 2]);
}
