//! Models of the hand-over between the queue and a waiter, in every order in which threads can take
//! the lock.
//!
//! In each order these must hold: an admitted call is woken, nothing that was given back is lost,
//! and nothing is granted twice. The clock is the manual one, so the timer is a thread like the
//! others.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use loom::thread;

use super::{Acquire, Permit, RateLimiter, Stack};
use crate::error::AcquireError;
use crate::limits::{Cost, Percent, Rate};
use crate::time::ManualClock;

const SECOND: Duration = Duration::from_secs(1);

/// Creates a limiter of one request per second, one at once.
fn limiter(clock: &ManualClock) -> RateLimiter {
    let builder = RateLimiter::builder().requests(Rate::per_second(1)).headroom(Percent(0));
    builder.jitter(Duration::ZERO).clock(clock).build().expect("it is sound")
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A call, the waker of its last poll, and its permit once it has one.
struct Call {
    acquire: Acquire,
    wakes: Arc<Wakes>,
    permit: Option<Permit>,
}

impl Call {
    fn start(limiter: &RateLimiter) -> Self {
        Self::of(limiter.acquire(Cost::new()))
    }

    fn of(acquire: Acquire) -> Self {
        let mut call = Self { acquire, wakes: Arc::default(), permit: None };
        call.poll();
        call
    }

    /// Polls the call again with a new waker. The old one may still be called, but need not be.
    fn poll(&mut self) {
        if self.permit.is_none() {
            self.wakes = Arc::default();
            let waker = Waker::from(Arc::clone(&self.wakes));
            if let Poll::Ready(outcome) = Pin::new(&mut self.acquire).poll(&mut Context::from_waker(&waker)) {
                self.permit = outcome.ok();
                assert!(self.permit.is_some(), "nothing here is refused");
            }
        }
    }

    /// Returns whether it is admitted. If it is and was not polled since, it must have been woken.
    fn is_admitted(&mut self) -> bool {
        let (knew, woken) = (self.permit.is_some(), self.wakes.0.load(Ordering::SeqCst));
        self.poll();
        let admitted = self.permit.is_some();
        assert!(knew || !admitted || woken > 0, "a wake-up was lost");
        assert!(admitted || woken == 0, "woken for nothing");
        admitted
    }
}

/// Takes the only request that is available at first.
fn drained(limiter: &RateLimiter) -> Permit {
    limiter.try_acquire(Cost::new()).expect("there is room")
}

/// Checks that nothing is left, and that one request is available a second later.
fn holds_exactly_nothing(limiter: &RateLimiter, clock: &ManualClock) {
    assert!(limiter.try_acquire(Cost::new()).is_err(), "given out twice");
    clock.advance(SECOND);
    assert!(limiter.try_acquire(Cost::new()).is_ok(), "lost");
}

#[test]
fn a_waiter_that_looks_again_while_the_timer_fires() {
    loom::model(|| {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        drop(drained(&limiter));
        let mut call = Call::start(&limiter);
        let timer = thread::spawn({
            let clock = clock.clone();
            move || clock.advance(SECOND)
        });
        call.poll();
        call.poll();
        timer.join().expect("no thread panics");
        assert!(call.is_admitted());
        holds_exactly_nothing(&limiter, &clock);
    });
}

#[test]
fn a_waiter_that_joins_while_the_timer_fires_for_another() {
    loom::model(|| {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        drop(drained(&limiter));
        let mut ahead = Call::start(&limiter);
        let timer = thread::spawn({
            let clock = clock.clone();
            move || clock.advance(SECOND)
        });
        let mut call = Call::start(&limiter);
        timer.join().expect("no thread panics");
        assert!(ahead.is_admitted() && !call.is_admitted());
        clock.advance(SECOND);
        assert!(call.is_admitted());
        holds_exactly_nothing(&limiter, &clock);
    });
}

#[test]
fn a_waiter_that_leaves_while_the_timer_fires() {
    loom::model(|| {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        drop(drained(&limiter));
        let (leaves, mut next) = (Call::start(&limiter), Call::start(&limiter));
        let timer = thread::spawn({
            let clock = clock.clone();
            move || clock.advance(SECOND)
        });
        drop(leaves);
        timer.join().expect("no thread panics");
        // Where the next one's timer was set too late for this clock, it fires now.
        clock.advance(Duration::ZERO);
        assert!(next.is_admitted());
        holds_exactly_nothing(&limiter, &clock);
    });
}

#[test]
fn a_waiter_that_joins_while_a_permit_is_cancelled() {
    loom::model(|| {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        let permit = drained(&limiter);
        let canceller = thread::spawn(move || permit.cancel());
        let mut call = Call::start(&limiter);
        call.poll();
        canceller.join().expect("no thread panics");
        assert!(call.is_admitted());
        holds_exactly_nothing(&limiter, &clock);
    });
}

#[test]
fn two_that_join_while_a_permit_is_cancelled() {
    loom::model(|| {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        let permit = drained(&limiter);
        let canceller = thread::spawn(move || permit.cancel());
        let other = thread::spawn({
            let limiter = limiter.clone();
            move || Call::start(&limiter)
        });
        let mut call = Call::start(&limiter);
        canceller.join().expect("no thread panics");
        let mut other = other.join().expect("no thread panics");
        assert!(call.is_admitted() != other.is_admitted(), "one of them");
        clock.advance(SECOND);
        assert!(call.is_admitted() && other.is_admitted());
        holds_exactly_nothing(&limiter, &clock);
    });
}

#[test]
fn a_waiter_that_leaves_while_a_permit_is_cancelled() {
    loom::model(|| {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        let permit = drained(&limiter);
        let (mut leaves, mut next) = (Call::start(&limiter), Call::start(&limiter));
        let canceller = thread::spawn(move || permit.cancel());
        leaves.poll();
        match leaves.permit.take() {
            Some(permit) => permit.cancel(),
            None => drop(leaves),
        }
        canceller.join().expect("no thread panics");
        assert!(next.is_admitted());
        holds_exactly_nothing(&limiter, &clock);
    });
}

#[test]
fn a_permit_that_is_cancelled_while_the_timer_fires() {
    loom::model(|| {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        let permit = drained(&limiter);
        let (mut first, mut second) = (Call::start(&limiter), Call::start(&limiter));
        let timer = thread::spawn({
            let clock = clock.clone();
            move || clock.advance(SECOND)
        });
        permit.cancel();
        timer.join().expect("no thread panics");
        clock.advance(Duration::ZERO);
        assert!(first.is_admitted());
        if !second.is_admitted() {
            // The cancelled amount had leaked by then.
            clock.advance(SECOND);
            assert!(second.is_admitted());
        }
        holds_exactly_nothing(&limiter, &clock);
    });
}

/// Creates a limiter that admits one call at a time.
fn one_at_a_time(clock: &ManualClock) -> RateLimiter {
    RateLimiter::builder().concurrency(1).clock(clock).build().expect("it is sound")
}

#[test]
fn a_waiter_that_joins_while_the_call_in_flight_ends() {
    loom::model(|| {
        let limiter = one_at_a_time(&ManualClock::new());
        let permit = drained(&limiter);
        let ends = thread::spawn(move || drop(permit));
        let mut call = Call::start(&limiter);
        call.poll();
        ends.join().expect("no thread panics");
        assert!(call.is_admitted());
        assert!(limiter.try_acquire(Cost::new()).is_err(), "given out twice");
        drop(call);
        assert!(limiter.try_acquire(Cost::new()).is_ok(), "lost");
    });
}

#[test]
fn two_that_join_while_the_call_in_flight_ends() {
    loom::model(|| {
        let limiter = one_at_a_time(&ManualClock::new());
        let permit = drained(&limiter);
        let ends = thread::spawn(move || permit.settle(1));
        let other = thread::spawn({
            let limiter = limiter.clone();
            move || Call::start(&limiter)
        });
        let mut call = Call::start(&limiter);
        ends.join().expect("no thread panics");
        let other = other.join().expect("no thread panics");
        let (first, mut second) = if call.is_admitted() { (call, other) } else { (other, call) };
        assert!(!second.is_admitted(), "given out twice");
        drop(first);
        assert!(second.is_admitted(), "lost");
    });
}

#[test]
fn a_waiter_that_leaves_while_the_call_in_flight_ends() {
    loom::model(|| {
        let limiter = one_at_a_time(&ManualClock::new());
        let permit = drained(&limiter);
        let (leaves, mut next) = (Call::start(&limiter), Call::start(&limiter));
        let ends = thread::spawn(move || drop(permit));
        // It may have been admitted, and not polled since.
        drop(leaves);
        ends.join().expect("no thread panics");
        assert!(next.is_admitted());
        drop(next);
        assert!(limiter.try_acquire(Cost::new()).is_ok(), "lost");
    });
}

#[test]
fn a_waiter_that_joins_while_the_rate_is_raised() {
    loom::model(|| {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        drop(drained(&limiter));
        let updates = thread::spawn({
            let limiter = limiter.clone();
            // A burst twice as long, of which a half is used.
            move || limiter.update(|limits| limits.burst(2 * SECOND)).expect("it is sound")
        });
        let mut call = Call::start(&limiter);
        updates.join().expect("no thread panics");
        // The bucket stays full, so only time helps.
        assert!(!call.is_admitted());
        clock.advance(SECOND);
        assert!(call.is_admitted());
        clock.advance(2 * SECOND);
        assert!(limiter.try_acquire(Cost::new()).is_ok() && limiter.try_acquire(Cost::new()).is_ok());
        assert!(limiter.try_acquire(Cost::new()).is_err());
    });
}

#[test]
fn a_permit_that_is_cancelled_while_the_limits_are_updated_or_reset() {
    for resets in [false, true] {
        loom::model(move || {
            let clock = ManualClock::new();
            let limiter = limiter(&clock);
            let permit = drained(&limiter);
            let mut call = Call::start(&limiter);
            let changes = thread::spawn({
                let limiter = limiter.clone();
                move || match resets {
                    true => limiter.reset().expect("it is sound"),
                    false => {
                        let rate = Rate::per_second(1).burst(SECOND);
                        limiter.update(|limits| limits.requests(rate)).expect("it is sound");
                    }
                }
            });
            permit.cancel();
            changes.join().expect("no thread panics");
            assert!(call.is_admitted());
            // A reset after its admission forgets it.
            if !resets {
                holds_exactly_nothing(&limiter, &clock);
            }
        });
    }
}

#[test]
fn a_waiter_that_joins_while_the_limiter_is_closed() {
    loom::model(|| {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        drop(drained(&limiter));
        let closes = thread::spawn({
            let limiter = limiter.clone();
            move || drop(limiter.close())
        });
        let (mut acquire, wakes) = (limiter.acquire(Cost::new()), Arc::<Wakes>::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let first = Pin::new(&mut acquire).poll(&mut Context::from_waker(&waker)).is_ready();
        closes.join().expect("no thread panics");
        if !first {
            assert!(wakes.0.load(Ordering::SeqCst) > 0, "a wake-up was lost");
            let polled = Pin::new(&mut acquire).poll(&mut Context::from_waker(&waker));
            assert!(matches!(polled, Poll::Ready(Err(AcquireError::Closed { .. }))));
        }
        clock.advance(SECOND);
        assert!(limiter.try_acquire(Cost::new()).is_err());
    });
}

#[test]
fn a_limiter_that_is_dropped_while_the_timer_fires() {
    loom::model(|| {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        drop(drained(&limiter));
        let call = Call::start(&limiter);
        let timer = thread::spawn({
            let clock = clock.clone();
            move || clock.advance(SECOND)
        });
        drop(limiter);
        drop(call);
        timer.join().expect("no thread panics");
    });
}

#[test]
fn a_stacked_call_whose_two_limiters_make_room_at_once() {
    loom::model(|| {
        let clock = ManualClock::new();
        let (inner, outer) = (limiter(&clock), limiter(&clock));
        let (one, other) = (drained(&inner), drained(&outer));
        let mut call = Call::of(Stack::of((&inner, &outer)).acquire(Cost::new()));
        let canceller = thread::spawn(move || one.cancel());
        other.cancel();
        canceller.join().expect("no thread panics");
        assert!(call.is_admitted());
        for limiter in [&inner, &outer] {
            assert!(limiter.try_acquire(Cost::new()).is_err(), "given out twice");
        }
    });
}

#[test]
fn a_stacked_call_that_leaves_while_its_limiter_makes_room() {
    loom::model(|| {
        let clock = ManualClock::new();
        let (inner, outer) = (limiter(&clock), limiter(&clock));
        let other = drained(&outer);
        let call = Call::of(Stack::of((&inner, &outer)).acquire(Cost::new()));
        let mut next = Call::start(&inner);
        let canceller = thread::spawn(move || other.cancel());
        drop(call);
        canceller.join().expect("no thread panics");
        assert!(next.is_admitted());
        assert!(outer.try_acquire(Cost::new()).is_ok(), "lost");
    });
}

#[test]
fn two_stacked_calls_of_opposite_orders() {
    loom::model(|| {
        let clock = ManualClock::new();
        let (one, other) = (limiter(&clock), limiter(&clock));
        drop(Stack::of((&one, &other)).acquire(Cost::new()));
        let forwards = thread::spawn({
            let (one, other) = (one.clone(), other.clone());
            move || Call::of(Stack::of((&one, &other)).acquire(Cost::new()))
        });
        let mut backwards = Call::of(Stack::of((&other, &one)).acquire(Cost::new()));
        let mut forwards = forwards.join().expect("no thread panics");
        assert!(forwards.permit.is_some() != backwards.permit.is_some(), "one of them has room");
        clock.advance(SECOND);
        assert!(forwards.is_admitted() && backwards.is_admitted());
    });
}
