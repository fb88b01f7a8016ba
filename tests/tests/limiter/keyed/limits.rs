//! Other limits for some keys.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, BuildProblem, Cost, Dimension, KeyLimits, Limit, Rate};
use openlimit_tests::{at_once, plain};

use super::{Tenants, builder, crowd};

fn limits(limits: impl Fn(&String, KeyLimits) -> KeyLimits + Send + Sync + 'static) -> Tenants {
    builder(&ManualClock::new()).name("tenants").limits(limits).build().unwrap()
}

fn shown(tenants: &Tenants, key: &str) -> Vec<String> {
    tenants.of(key).status().unwrap().limits.iter().map(|limit| limit.limit.to_string()).collect()
}

#[test]
fn a_named_dimension_is_replaced_and_the_others_stay() {
    let tenants = limits(|key, limits| match key.as_str() {
        "large" => limits.requests(Rate::per_second(500)),
        "two" => limits.tokens(Rate::per_minute(7)).tokens(Rate::per_day(9)),
        "more" => limits.images(Rate::per_day(3)).limit(Limit::new("songs", Rate::per_hour(1))),
        _ => limits,
    });
    assert_eq!(shown(&tenants, "small"), ["10 requests / second", "1000 tokens / second"]);
    assert_eq!(shown(&tenants, "large"), ["1000 tokens / second", "500 requests / second"]);
    assert_eq!(shown(&tenants, "two"), ["10 requests / second", "7 tokens / minute", "9 tokens / day"]);
    assert_eq!(shown(&tenants, "more")[2..], ["3 images / day", "1 songs / hour"]);
    assert_eq!(at_once(&tenants.of("large")), 500);
    assert_eq!(at_once(&tenants.of("small")), 10);
}

#[test]
fn the_function_is_called_once_for_each_key_until_it_is_forgotten() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let tenants = limits(move |key, limits| {
        counted.fetch_add(usize::from(key == "anna"), Ordering::Relaxed);
        limits
    });
    for _ in 0..10 {
        drop(tenants.of("anna").try_acquire(Cost::new()).unwrap());
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let handle = tenants.of("anna");
    crowd(&tenants);
    drop(tenants.of("anna"));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    drop(handle);
}

#[test]
fn a_function_that_panics_fails_the_calls_of_that_key_only() {
    let fails = Arc::new(AtomicUsize::new(2));
    let left = Arc::clone(&fails);
    let tenants = limits(move |key, limits| {
        let is_over = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        assert!(key != "anna" || is_over.is_err(), "the secret of anna");
        limits
    });
    for _ in 0..2 {
        let error = tenants.of("anna").try_acquire(1).unwrap_err();
        assert!(
            matches!(&error, AcquireError::Build(error) if matches!(error.problem(), BuildProblem::LimitsPanicked)),
            "{error}"
        );
        assert_eq!(
            error.to_string(),
            "limiter `tenants` cannot be built: the function `limits` panicked for this key; return the limits \
             that it was given to keep them"
        );
    }
    assert!(tenants.of("berta").try_acquire(1).is_ok());
    assert!(tenants.of("anna").try_acquire(1).is_ok(), "it is tried again");
    assert_eq!(tenants.len(), 2);
}

#[test]
fn limits_that_are_not_valid_fail_the_calls_of_that_key_only() {
    let tenants = limits(|key, limits| match key.as_str() {
        "zero" => limits.tokens(Rate::per_minute(0)),
        "huge" => limits.tokens(Rate::per_minute(u64::MAX)),
        "nameless" => limits.limit(Limit::new("", Rate::per_minute(1))),
        "many" => (0..100).fold(limits, |limits, _| limits.tokens(Rate::per_minute(1))),
        _ => limits,
    });
    for key in ["zero", "huge", "nameless", "many"] {
        let error = tenants.of(key).try_acquire(1).unwrap_err();
        assert!(matches!(error, AcquireError::Build(_)), "{key}: {error}");
    }
    assert!(tenants.of("anna").try_acquire(1).is_ok());
    assert_eq!(tenants.len(), 1);
}

#[test]
fn the_function_may_use_the_limiters_of_other_keys() {
    let all: Arc<OnceLock<Tenants>> = Arc::default();
    let inner = Arc::clone(&all);
    let tenants = limits(move |key, limits| {
        if key != "template" {
            let template = inner.get().expect("set before").of("template");
            assert!(template.status().is_ok());
        }
        limits
    });
    let tenants = all.get_or_init(|| tenants);
    for key in 0..100 {
        drop(tenants.of(&key.to_string()).try_acquire(1).unwrap());
    }
}

#[test]
fn more_tiers_than_are_kept_work_as_well() {
    let clock = ManualClock::new();
    let tenants = plain(&clock).tokens(Rate::per_second(1)).keyed::<u64>();
    let tenants = tenants.limits(|key, limits| limits.tokens(Rate::per_second(1 + key))).build().unwrap();
    for key in (0..500).chain(0..500) {
        let permit = tenants.of(&key).try_acquire(1 + key).map(|permit| permit.cost());
        if let Ok(cost) = permit {
            assert_eq!(cost.amount(&Dimension::Tokens), 1 + key);
        }
        assert!(tenants.of(&key).try_acquire(2 + key).is_err());
    }
}

#[test]
fn a_function_that_uses_the_limiter_of_its_own_key_gets_an_error() {
    let (all, errors) = (Arc::<OnceLock<Tenants>>::default(), Arc::<Mutex<Vec<_>>>::default());
    let (inner, seen) = (Arc::clone(&all), Arc::clone(&errors));
    let tenants = limits(move |key, limits| {
        let own = inner.get().expect("set before").of(key).init();
        seen.lock().unwrap().extend(own.err());
        limits
    });
    let tenants = all.get_or_init(|| tenants);
    for key in ["anna", "ben"] {
        assert!(tenants.of(key).try_acquire(1).is_ok());
        let errors = mem::take(&mut *errors.lock().unwrap());
        assert_eq!(errors.len(), 1);
        assert!(matches!(errors[0].problem(), BuildProblem::Recursive), "{}", errors[0]);
    }
}

#[test]
fn a_function_that_uses_its_own_key_twice_and_always_fails_is_called_a_few_times() {
    const MANY: usize = 10_000;
    let (all, calls) = (Arc::<OnceLock<Tenants>>::default(), Arc::<AtomicUsize>::default());
    let (inner, counted) = (Arc::clone(&all), Arc::clone(&calls));
    let tenants = limits(move |key, limits| {
        // Without a bound, it would be called 2^32 times.
        for _ in 0..2 {
            if counted.fetch_add(1, Ordering::Relaxed) < MANY {
                assert!(inner.get().expect("set before").of(key).init().is_err());
            }
        }
        limits.tokens(Rate::per_minute(0))
    });
    let tenants = all.get_or_init(|| tenants);
    for _ in 0..2 {
        assert!(tenants.of("anna").init().is_err());
        let calls = calls.swap(0, Ordering::Relaxed);
        assert!(calls < 100, "{calls}");
    }
}
