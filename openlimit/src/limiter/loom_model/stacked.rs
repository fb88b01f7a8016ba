//! A call of two limiters, which make room at the same moment.

use loom::thread;

use super::{Call, SECOND, canceller, drained, ended, limiter, model};
use crate::limiter::{RateLimiter, Stack};
use crate::limits::{Concurrency, Cost};
use crate::time::ManualClock;

#[test]
fn a_stacked_call_whose_two_limiters_make_room_at_once() {
    model(|clock, inner| {
        let outer = limiter(clock);
        let (one, other) = (drained(&inner), drained(&outer));
        let mut call = Call::of(Stack::of((&inner, &outer)).acquire(Cost::new()));
        let canceller = canceller(one);
        other.cancel();
        ended(canceller);
        assert!(call.is_admitted());
        for limiter in [&inner, &outer] {
            assert!(limiter.try_acquire(Cost::new()).is_err(), "given out twice");
        }
    });
}

#[test]
fn a_stacked_call_that_leaves_while_its_limiter_makes_room() {
    model(|clock, inner| {
        let outer = limiter(clock);
        let other = drained(&outer);
        let call = Call::of(Stack::of((&inner, &outer)).acquire(Cost::new()));
        let mut next = Call::start(&inner);
        let canceller = canceller(other);
        drop(call);
        ended(canceller);
        assert!(next.is_admitted());
        assert!(outer.try_acquire(Cost::new()).is_ok(), "lost");
    });
}

#[test]
fn two_stacked_calls_of_opposite_orders() {
    model(|clock, one| {
        let other = limiter(clock);
        drop(Stack::of((&one, &other)).acquire(Cost::new()));
        let forwards = thread::spawn({
            let (one, other) = (one.clone(), other.clone());
            move || Call::of(Stack::of((&one, &other)).acquire(Cost::new()))
        });
        let mut backwards = Call::of(Stack::of((&other, &one)).acquire(Cost::new()));
        let mut forwards = ended(forwards);
        assert!(forwards.permit.is_some() != backwards.permit.is_some(), "one of them has room");
        clock.advance(SECOND);
        assert!(forwards.is_admitted() && backwards.is_admitted());
    });
}

#[test]
fn a_stacked_call_ends_while_another_one_arrives_for_which_it_makes_room() {
    loom::model(|| {
        let clock = ManualClock::new();
        let limiter = |concurrency| {
            RateLimiter::builder().concurrency(concurrency).clock(&clock).build().expect("it is sound")
        };
        let (two, one) = (limiter(Concurrency::Adaptive(2..=9)), limiter(Concurrency::Fixed(1)));
        let stack = Stack::of((&two, &one));
        let permit = stack.try_acquire(Cost::new()).expect("there is room");
        let ends = thread::spawn(move || drop(permit));
        let next = stack.try_acquire(Cost::new());
        ended(ends);
        let flights = two.status().expect("it is built").in_flight.expect("it is limited");
        assert_eq!((flights.calls, flights.most), (next.is_ok().into(), 2), "it grew without need");
    });
}
