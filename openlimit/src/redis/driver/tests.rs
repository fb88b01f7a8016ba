//! What cannot be brought about from outside: a session that panics, and a limiter that is gone and has not yet left what it has.

use std::net::{Ipv4Addr, TcpListener};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::limiter::{Collected, Limiter};
use super::*;
use crate::handle::WeakHandle;
use crate::queue::Queue;
use crate::redis::wire::{Bucket, Reply};
use crate::redis::{OnOutage, Redis, Scale, Terms};
use crate::{Acquire, AcquireError, Cost, Flush, Rate, RateLimiter};

/// A limiter whose server lets everybody connect, and answers nobody.
fn limiter() -> (TcpListener, Handle, Arc<Link>) {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = server.local_addr().expect("it is bound");
    let redis = Redis::new(format!("redis://{address}")).timeout(Duration::from_millis(50));
    let builder = RateLimiter::builder().name("chat").requests(Rate::per_second(1)).redis(redis);
    let limiter = Handle::shared(builder.build_core().expect("it is sound"));
    let link = Arc::clone(&limiter.session.as_ref().expect("it is shared").link);
    (server, limiter, link)
}

/// Whether it has been found that its server does not answer.
fn is_away(limiter: &Handle) -> bool {
    limiter.status().store.is_some_and(|store| store.error.is_some())
}

fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn problem<T: std::fmt::Debug>(refused: Result<T, AcquireError>) -> StoreProblem {
    match refused {
        Err(AcquireError::Store { error, .. }) => error.problem().clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_that_panics_says_so_to_all_who_wait_and_starts_anew() {
    let (_server, limiter, link) = limiter();
    let mut errors = Vec::new();
    thread::scope(|scope| {
        let acquire = || problem(Acquire::new(&limiter, &Cost::new()).blocking());
        let flush = || problem(Flush::new(Ok(&limiter), Duration::from_secs(60)).blocking());
        let waiting = [scope.spawn(acquire), scope.spawn(acquire), scope.spawn(flush)];
        until("those who wait", || limiter.status().waiting == 2 && link.flushes.any());
        link.fault.store(true, Ordering::SeqCst);
        errors.extend(waiting.map(|thread| thread.join().expect("they do not panic")));
    });
    for error in errors {
        assert!(matches!(&error, StoreProblem::Driver(said) if said == "it panicked: a fault"), "{error}");
    }
    let mut next = pin!(Acquire::new(&limiter, &Cost::new()));
    assert!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    until("the next attempt", || is_away(&limiter));
}

#[test]
fn a_session_that_panics_over_what_a_dropped_limiter_left_ends() {
    let (_server, limiter, link) = limiter();
    let mut flush = Flush::new(Ok(&limiter), Duration::from_secs(60));
    assert!(pin!(&mut flush).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    until("a batch to be under way", || is_away(&limiter));
    link.fault.store(true, Ordering::SeqCst);
    drop((flush, limiter));
    until("the end of the session", || Arc::strong_count(&link) == 1);
}

#[test]
fn a_reply_that_comes_while_the_limiter_is_dropped_is_heard() {
    let terms = Terms { slack: 0, look_ahead: 0, lease: None, patience: 0, on_outage: OnOutage::Wait };
    let scale = Scale::new(Rate::per_second(1), Duration::from_secs(9), Duration::ZERO, (0, 100));
    let mut shared = Shared::new([0].into(), [scale].into(), terms, Arc::default(), "".into());
    shared.owe(&[1], 0);
    shared.collect(&Queue::new(0), true, 0).expect("a batch is under way");
    // What is settled meanwhile is for the next one.
    shared.owe(&[1], 0);

    let (mut limiter, link) = (Limiter::Live(WeakHandle::Shared(Weak::new())), Link::default());
    let buckets = vec![Bucket { level: 0, given: 0, others_gave: 0, low: 0, raised: 0 }];
    let reply =
        Reply { now: 0, decided: 0, epoch: 0, count: 0, run: 0, alone: true, buckets, calls: Vec::new() };
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut told = pin!(limiter.told(&reply, 0, &link));
        assert!(told.as_mut().poll(&mut context).is_pending());
        *link.left.lock() = Some(Box::new(shared));
        link.call.notify_one();
        assert!(told.poll(&mut context).is_ready());
    }
    let Poll::Ready(collected) = pin!(limiter.collect(false, &link)).poll(&mut context) else {
        panic!("it is there")
    };
    assert!(matches!(collected, Collected::Batch(_)), "what was settled last is not told");
}
