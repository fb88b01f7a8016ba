//! What cannot be brought about from outside: a limiter that is gone and has not yet left what it has.

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::limiter::{Collected, Limiter};
use super::*;
use crate::Rate;
use crate::handle::WeakHandle;
use crate::queue::Queue;
use crate::redis::wire::{Bucket, Reply};
use crate::redis::{OnOutage, Scale, Terms};

#[test]
fn a_reply_that_comes_while_the_limiter_is_dropped_is_heard() {
    let terms = Terms { slack: 0, look_ahead: 0, lease: None, patience: 0, on_outage: OnOutage::Wait };
    let scale = Scale::new(Rate::per_second(1), Duration::from_secs(9), Duration::ZERO, (0, 100));
    let mut shared = Shared::new([0].into(), [scale].into(), terms, Arc::default(), "".into());
    shared.owe(&[1], 0);
    shared.collect(&Queue::new(0), u64::MAX >> 1).expect("a batch is under way");
    // What is settled meanwhile is for the next one.
    shared.owe(&[1], 0);

    let (mut limiter, link) = (Limiter::Live(WeakHandle::Shared(Weak::new())), Link::default());
    let buckets = vec![Bucket { level: 0, given: 0, low: 0 }];
    let reply = Reply { now: 0, decided: 0, epoch: 0, count: 0, run: 0, buckets, calls: Vec::new() };
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut told = pin!(limiter.told(&reply, 0, &link));
        assert!(told.as_mut().poll(&mut context).is_pending());
        *link.left.lock() = Some(Box::new(shared));
        link.call.notify_one();
        assert!(told.poll(&mut context).is_ready());
    }
    let Poll::Ready(collected) = pin!(limiter.collect(&link)).poll(&mut context) else {
        panic!("it is there")
    };
    assert!(matches!(collected, Collected::Batch(_)), "what was settled last is not told");
}
