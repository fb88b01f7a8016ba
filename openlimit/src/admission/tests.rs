//! What no test from outside can bring about for certain: times that reach the lock in another order than they
//! were read in.

use std::task::Waker;
use std::time::Duration;

use super::{Admission, Meter};
use crate::amounts::Amounts;
use crate::bucket::Bucket;
use crate::queue::{Outcome, Waiter};
use crate::{Dimension, Limit, Rate};

const SECOND: u64 = 1_000_000_000;

/// Ten a second, all at once if need be.
fn ten() -> Admission {
    let rate = Rate::per_second(10);
    let bucket = Bucket::new(rate, Duration::from_secs(1), Duration::ZERO, (0, 100));
    let limits = vec![Limit::new(Dimension::Requests, rate)];
    Admission::new([Meter { dimension: 0, bucket }].into(), limits.into(), "test".into(), Duration::ZERO)
}

fn requests(requests: u64) -> Amounts {
    Amounts::Few([requests, 0, 0])
}

fn waiter(requests_asked: u64, arrived: u64) -> Waiter {
    Waiter {
        amounts: requests(requests_asked),
        arrived,
        timeout: u64::MAX,
        waker: Waker::noop().clone(),
        number: 0,
    }
}

#[test]
fn an_older_time_finds_what_the_younger_one_left() {
    let mut admission = ten();
    assert!(admission.try_admit(&requests(10), 2 * SECOND).is_some());
    for older in [0, SECOND, 2 * SECOND] {
        assert!(admission.try_admit(&requests(1), older).is_none());
        assert!(admission.try_admit(&requests(0), older).is_some());
    }
    assert!(admission.try_admit(&requests(1), 2 * SECOND + SECOND / 10).is_some());
    assert!(admission.try_admit(&requests(1), 2 * SECOND).is_none());
}

#[test]
fn a_call_admitted_at_an_older_time_does_not_have_that_time_pass_twice() {
    let mut admission = ten();
    for time in [2, 1] {
        assert!(admission.try_admit(&requests(5), time * SECOND).is_some());
    }
    assert!(admission.try_admit(&requests(1), 2 * SECOND).is_none());
}

#[test]
fn an_older_time_admits_nobody_early_from_the_queue() {
    let mut admission = ten();
    assert!(admission.try_admit(&requests(10), 2 * SECOND).is_some());
    let key = admission.join(waiter(10, SECOND));
    let mut wakers = Vec::new();
    for time in [0, 3 * SECOND - 1, SECOND, 2 * SECOND, 3 * SECOND - 1] {
        admission.pump(time, &mut wakers);
        assert!(wakers.is_empty());
        assert_eq!(admission.next(), Some(3 * SECOND));
    }
    admission.pump(3 * SECOND, &mut wakers);
    assert_eq!(wakers.len(), 1);
    let Ok(Outcome::Admitted(grant)) = admission.queue.poll(key, Waker::noop().clone()) else {
        panic!("not admitted")
    };
    assert_eq!(grant.wait.map(|wait| wait.nanos), Some(2 * SECOND));
    assert_eq!(admission.next(), None);
}

#[test]
fn an_older_time_gives_back_no_more_than_there_is() {
    let mut admission = ten();
    let charge = admission.try_admit(&requests(10), 0).unwrap_or_default();
    assert!(admission.try_admit(&requests(10), SECOND).is_some());
    admission.refund(&requests(10), charge, SECOND / 2);
    assert!(admission.try_admit(&requests(1), SECOND).is_none(), "what it took had leaked");
}

#[test]
fn a_refused_call_puts_back_what_it_took_from_the_limits_before() {
    let limit =
        |amount| Bucket::new(Rate::per_second(amount), Duration::from_secs(1), Duration::ZERO, (0, 100));
    let meters = [10, 20, 5].map(|amount| Meter { dimension: 0, bucket: limit(amount) });
    let limits = vec![Limit::new(Dimension::Requests, Rate::per_second(5)); 3];
    let mut admission = Admission::new(meters.into(), limits.into(), "test".into(), Duration::ZERO);
    let charge = admission.try_admit(&requests(5), 0).unwrap_or_default();
    for _ in 0..100 {
        assert!(admission.try_admit(&requests(1), 0).is_none());
    }
    admission.refund(&requests(5), charge, 0);
    assert!(admission.try_admit(&requests(5), 0).is_some());
}
