//! Tests of cases that programs cannot bring about: times that reach the lock in another order than
//! they were read in.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::{Admission, Decided};
use crate::backend::{Backend, Buckets as _, Memory, Starting};
use crate::bucket::Metering;
use crate::limits::{Amounts, Rate};
use crate::queue::{Outcome, Queue, Urgency, Waiter};
use crate::time::Dates;

const SECOND: u64 = 1_000_000_000;

/// One limit of requests per second for each amount, with a burst of the whole amount.
fn limited(amounts: &[u64]) -> Admission {
    let metering = |amount: &u64| {
        Metering::new(Rate::per_second(*amount), Duration::from_secs(1), Duration::ZERO, (0, 100))
    };
    let starting = Starting {
        name: None,
        limits: &[],
        meterings: &amounts.iter().map(metering).collect::<Vec<_>>(),
        dimensions: &vec![0; amounts.len()],
        max_hold: 0,
        dates: Dates::From(0),
        on_system_time: true,
    };
    Admission::new(Backend::Memory(Memory::new(&starting, 0)), Queue::new(1), Arc::default())
}

fn ten() -> Admission {
    limited(&[10])
}

fn requests(requests: u64) -> Amounts {
    Amounts::Few([requests, 0, 0])
}

fn waiter(requests_asked: u64, arrived: u64) -> Waiter {
    Waiter::new(requests(requests_asked), arrived, Urgency::default())
}

/// Has a call arrive that has to wait.
fn join(admission: &mut Admission, requests_asked: u64, now: u64) -> usize {
    match admission.arrive(waiter(requests_asked, now), now, &mut Vec::new()) {
        Decided::Waits(key) => key,
        decided => panic!("{decided:?}"),
    }
}

#[test]
fn an_older_time_finds_what_the_younger_one_left() {
    let mut admission = ten();
    assert!(admission.take(requests(10).as_slice(), 2 * SECOND).is_some());
    for older in [0, SECOND, 2 * SECOND] {
        assert!(admission.take(requests(1).as_slice(), older).is_none());
        assert!(admission.take(requests(0).as_slice(), older).is_some());
    }
    assert!(admission.take(requests(1).as_slice(), 2 * SECOND + SECOND / 10).is_some());
    assert!(admission.take(requests(1).as_slice(), 2 * SECOND).is_none());
}

#[test]
fn a_call_admitted_at_an_older_time_does_not_have_that_time_pass_twice() {
    let mut admission = ten();
    for time in [2, 1] {
        assert!(admission.take(requests(5).as_slice(), time * SECOND).is_some());
    }
    assert!(admission.take(requests(1).as_slice(), 2 * SECOND).is_none());
}

#[test]
fn an_older_time_admits_nobody_early_from_the_queue() {
    let mut admission = ten();
    assert!(admission.take(requests(10).as_slice(), 2 * SECOND).is_some());
    let key = join(&mut admission, 10, SECOND);
    let mut wakers = Vec::new();
    for time in [0, 3 * SECOND - 1, SECOND, 2 * SECOND, 3 * SECOND - 1] {
        admission.pump(time, &mut wakers);
        assert!(wakers.is_empty());
        assert_eq!(admission.next(), Some(3 * SECOND));
    }
    admission.pump(3 * SECOND, &mut wakers);
    assert_eq!(wakers.len(), 1);
    let (Some(Outcome::Admitted(grant)), _) = admission.queue.poll(key, Waker::noop().clone()) else {
        panic!("not admitted")
    };
    assert_eq!(grant.wait.map(|wait| wait.nanos), Some(2 * SECOND));
    assert_eq!(admission.next(), None);
}

#[test]
fn an_older_time_gives_back_no_more_than_there_is() {
    let mut admission = ten();
    let charge = admission.take(requests(10).as_slice(), 0).unwrap_or_default();
    assert!(admission.take(requests(10).as_slice(), SECOND).is_some());
    admission.backend.refund(&requests(10), charge, SECOND / 2, |_, _| ());
    assert!(admission.take(requests(1).as_slice(), SECOND).is_none(), "what it took had leaked");
}

#[test]
fn a_refused_call_puts_back_what_it_took_from_the_limits_before() {
    let mut admission = limited(&[10, 20, 5]);
    let charge = admission.take(requests(5).as_slice(), 0).unwrap_or_default();
    for _ in 0..100 {
        assert!(admission.take(requests(1).as_slice(), 0).is_none());
    }
    admission.backend.refund(&requests(5), charge, 0, |_, _| ());
    assert!(admission.take(requests(5).as_slice(), 0).is_some());
}
