//! Stacks among the calls of `first_free`: what is not taken costs nothing in any limiter.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use openlimit::testing::ManualClock;
use openlimit::{Stack, first_free};
use openlimit_tests::{Call, millis, secs};

use super::{left, tokens};

#[test]
fn the_first_stack_that_is_free_is_taken_and_the_other_is_charged_nowhere() {
    let clock = ManualClock::new();
    let [large, small, tenant] = ["large", "small", "tenant"].map(|name| tokens(&clock, name, 100));
    drop(large.try_acquire(100).expect("there is room"));
    // The one that both share comes last, so neither waits in it for the other.
    let stacks = [Stack::of((&large, &tenant)), Stack::of((&small, &tenant))];
    let mut calls = pin!(first_free(stacks.each_ref().map(|stack| stack.acquire(40))));
    let polled = calls.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok((1, permit))) = polled else { panic!("the second is free") };
    assert_eq!(left([&large, &small, &tenant]), [0, 60, 60]);
    assert!([&large, &small, &tenant].iter().all(|of| of.status().expect("it is built").waiting == 0));
    permit.cancel();
}

#[test]
fn stacks_that_share_their_first_limiter_wait_in_it_one_behind_the_other() {
    let clock = ManualClock::new();
    let [tenant, large, small] = ["tenant", "large", "small"].map(|name| tokens(&clock, name, 100));
    drop(large.try_acquire(100).expect("there is room"));
    let stacks = [Stack::of((&tenant, &large)), Stack::of((&tenant, &small))];
    let mut calls = pin!(first_free(stacks.each_ref().map(|stack| stack.acquire(40))));
    let mut poll = || calls.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    clock.advance(millis(400));
    let Poll::Ready(Ok((0, _permit))) = poll() else { panic!("the first is free") };
    assert_eq!(left([&tenant, &large, &small]), [60, 0, 100]);
}

#[test]
fn a_stack_that_departed_too_late_is_given_back_in_all_its_limiters() {
    let clock = ManualClock::new();
    let [alone, tenant, account] = ["alone", "tenant", "account"].map(|name| tokens(&clock, name, 100));
    for limiter in [&alone, &account] {
        drop(limiter.try_acquire(100).expect("there is room"));
    }
    let stack = Stack::of((&tenant, &account));
    let mut calls = pin!(first_free([alone.acquire(50), stack.acquire(50)]));
    let mut poll = || calls.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    let behind = Call::start(stack.acquire(50));
    clock.advance(millis(500));
    assert_eq!(left([&alone, &tenant, &account]), [0, 50, 0], "both departed");
    let Poll::Ready(Ok((0, _permit))) = poll() else { panic!("both are free") };
    drop(behind.admitted());
    assert_eq!(left([&alone, &tenant, &account]), [0, 50, 0]);
    clock.advance(secs(1));
}
