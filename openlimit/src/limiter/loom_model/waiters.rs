//! A waiter looks again, joins or leaves, while the timer fires or a permit is cancelled.

use std::time::Duration;

use loom::thread;

use super::{Call, SECOND, canceller, drained, ended, holds_exactly_nothing, model, timer};

#[test]
fn a_waiter_that_looks_again_while_the_timer_fires() {
    model(|clock, limiter| {
        drop(drained(&limiter));
        let mut call = Call::start(&limiter);
        let timer = timer(clock);
        call.poll();
        call.poll();
        ended(timer);
        assert!(call.is_admitted());
        holds_exactly_nothing(&limiter, clock);
    });
}

#[test]
fn a_waiter_that_joins_while_the_timer_fires_for_another() {
    model(|clock, limiter| {
        drop(drained(&limiter));
        let mut ahead = Call::start(&limiter);
        let timer = timer(clock);
        let mut call = Call::start(&limiter);
        ended(timer);
        assert!(ahead.is_admitted() && !call.is_admitted());
        clock.advance(SECOND);
        assert!(call.is_admitted());
        holds_exactly_nothing(&limiter, clock);
    });
}

#[test]
fn a_waiter_that_leaves_while_the_timer_fires() {
    model(|clock, limiter| {
        drop(drained(&limiter));
        let (leaves, mut next) = (Call::start(&limiter), Call::start(&limiter));
        let timer = timer(clock);
        drop(leaves);
        ended(timer);
        // Where the next one's timer was set too late for this clock, it fires now.
        clock.advance(Duration::ZERO);
        assert!(next.is_admitted());
        holds_exactly_nothing(&limiter, clock);
    });
}

#[test]
fn a_waiter_that_joins_while_a_permit_is_cancelled() {
    model(|clock, limiter| {
        let canceller = canceller(drained(&limiter));
        let mut call = Call::start(&limiter);
        call.poll();
        ended(canceller);
        assert!(call.is_admitted());
        holds_exactly_nothing(&limiter, clock);
    });
}

#[test]
fn two_that_join_while_a_permit_is_cancelled() {
    model(|clock, limiter| {
        let canceller = canceller(drained(&limiter));
        let other = thread::spawn({
            let limiter = limiter.clone();
            move || Call::start(&limiter)
        });
        let mut call = Call::start(&limiter);
        ended(canceller);
        let mut other = ended(other);
        assert!(call.is_admitted() != other.is_admitted(), "one of them");
        clock.advance(SECOND);
        assert!(call.is_admitted() && other.is_admitted());
        holds_exactly_nothing(&limiter, clock);
    });
}

#[test]
fn a_waiter_that_leaves_while_a_permit_is_cancelled() {
    model(|clock, limiter| {
        let permit = drained(&limiter);
        let (mut leaves, mut next) = (Call::start(&limiter), Call::start(&limiter));
        let canceller = canceller(permit);
        leaves.poll();
        match leaves.permit.take() {
            Some(permit) => permit.cancel(),
            None => drop(leaves),
        }
        ended(canceller);
        assert!(next.is_admitted());
        holds_exactly_nothing(&limiter, clock);
    });
}

#[test]
fn a_permit_that_is_cancelled_while_the_timer_fires() {
    model(|clock, limiter| {
        let permit = drained(&limiter);
        let (mut first, mut second) = (Call::start(&limiter), Call::start(&limiter));
        let timer = timer(clock);
        permit.cancel();
        ended(timer);
        clock.advance(Duration::ZERO);
        assert!(first.is_admitted());
        if !second.is_admitted() {
            // The cancelled amount had leaked by then.
            clock.advance(SECOND);
            assert!(second.is_admitted());
        }
        holds_exactly_nothing(&limiter, clock);
    });
}
