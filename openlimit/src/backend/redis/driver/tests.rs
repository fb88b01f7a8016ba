//! Tests of situations that cannot be caused from outside: a session that panics, and a limiter
//! that is dropped while its batch is in flight.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Builder;
use tokio::time::sleep;

use super::carry::{Decider, supervise};
use super::link::Link;
use super::owner::{Collected, Owner};
use crate::backend::redis::Slots;
use crate::backend::redis::client::Batch;
use crate::backend::redis::key::Keys;
use crate::backend::redis::scale::Scale;
use crate::backend::redis::settings::{Common, Settings};
use crate::backend::redis::slots::{Alone, SharedLimit};
use crate::backend::redis::terms::Terms;
use crate::backend::redis::wire::{BatchReply, BucketReply};
use crate::backend::redis::{OnOutage, Redis};
use crate::backend::{Backend, Buckets as _, Memory, Newer, Served};
use crate::bucket::Metering;
use crate::error::{StoreError, StoreProblem};
use crate::limits::{Amounts, Rate};
use crate::queue::{Outcome, Queue, Refusal, Refusals, Urgency, Waiter};
use crate::time::Time;

fn amounts() -> Amounts {
    Amounts::Few([1, 0, 0])
}

/// Returns slots of one request per second.
fn slots() -> Box<Slots> {
    let terms = Terms { jitter: 0, look_ahead: 0, lease: None, patience: 0, on_outage: OnOutage::Wait };
    let (rate, burst, jitter) = (Rate::per_second(1), Duration::from_secs(9), Duration::ZERO);
    let scale = Scale::new(&Metering::new(rate, burst, jitter, (0, 100)), jitter);
    Box::new(Slots::new(
        &[SharedLimit { place: 0, dimension: 0, share: 100, scale, windows: None }],
        terms,
        "".into(),
        Alone::new(Memory::default(), Memory::default(), 1),
        0,
    ))
}

fn settings() -> Arc<Settings> {
    let common = Common::new(&Redis::new("redis://localhost"), [false].into(), 0);
    let common = common.unwrap_or_else(|problem| panic!("{problem}"));
    Arc::new(Settings::new(Arc::new(common), Keys::new("", "chat", None)))
}

/// A limiter that consists of slots and a queue.
struct Plain(Mutex<(Backend, Queue, Vec<Refusal>)>);

impl Plain {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((Backend::Redis(slots()), Queue::new(1), Vec::new()))))
    }

    fn join(&self) {
        self.0.lock().1.join(Waiter::new(amounts(), 0, Urgency::default()));
    }
}

impl Served for Plain {
    fn serve(&self, work: &mut dyn FnMut(&mut Backend, &Queue, u64) -> Refusals) {
        let (backend, queue, refused) = &mut *self.0.lock();
        for (key, refusal) in work(backend, queue, Time::System.now()) {
            refused.push(refusal.clone());
            queue.finish(key, |_| Outcome::Refused(refusal));
        }
    }

    fn take_over(&self, _: &mut dyn FnMut(&mut Backend) -> Option<Newer>) -> bool {
        false
    }
}

/// Panics over the first batch, and never replies to another.
struct Faulty(Arc<AtomicUsize>);

impl Decider for Faulty {
    async fn decide(&mut self, _: &Batch) -> Result<BatchReply, StoreError> {
        assert!(self.0.fetch_add(1, Ordering::SeqCst) > 0, "a fault");
        pending().await
    }
}

/// Runs a session on a runtime of its own until it ends, or until `done` returns true.
fn supervise_until(owner: Owner, link: &Arc<Link>, batches: &Arc<AtomicUsize>, done: impl Fn() -> bool) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let batches = Arc::clone(batches);
    let session = supervise(owner, Arc::clone(link), settings(), move || Faulty(Arc::clone(&batches)));
    let session = runtime.spawn(session);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !session.is_finished() && !done() {
        assert!(Instant::now() < deadline, "the session neither ended nor did its work");
        runtime.block_on(async { sleep(Duration::from_millis(5)).await });
    }
}

#[test]
fn a_session_that_panics_fails_all_that_wait_and_restarts() {
    let (limiter, link, batches) = (Plain::new(), Arc::default(), Arc::default());
    limiter.join();
    limiter.join();
    let mut flush = Arc::<Link>::clone(&link).flushes.join();
    let weak: Weak<dyn Served> = Arc::downgrade(&limiter) as _;
    supervise_until(Owner::Live(weak), &link, &batches, || {
        let failed = limiter.0.lock().2.len() == 2;
        if failed && batches.load(Ordering::SeqCst) == 1 && limiter.0.lock().1.is_empty() {
            limiter.join();
            link.wake.notify_one();
        }
        batches.load(Ordering::SeqCst) == 2
    });
    let flushed = flush.try_recv().expect("it ended").expect_err("it failed");
    let refusals = limiter.0.lock().2.clone();
    let errors = refusals.iter().map(|refusal| match refusal {
        Refusal::Undecided { error, .. } => error,
        other => panic!("{other:?}"),
    });
    for error in errors.chain([&flushed]) {
        let StoreProblem::Driver(reason) = error.problem() else { panic!("{error}") };
        assert_eq!(reason, "it panicked: a fault");
    }
}

#[test]
fn a_session_that_panics_over_what_a_dropped_limiter_left_ends() {
    let (link, batches) = (Arc::<Link>::default(), Arc::default());
    let mut left = slots();
    left.owe(&amounts(), 0);
    *link.left.lock() = Some(left);
    supervise_until(Owner::Live(Weak::<Plain>::new()), &link, &batches, || false);
    assert_eq!(batches.load(Ordering::SeqCst), 1);
    assert_eq!(Arc::strong_count(&link), 1);
}

#[test]
fn a_reply_that_comes_while_the_limiter_is_dropped_is_applied() {
    let no_one = Queue::new(0);
    let mut slots = slots();
    slots.owe(&amounts(), 0);
    slots.collect(&no_one, true, 0).expect("a batch is in flight");
    // This debt is for the next batch.
    slots.owe(&amounts(), 0);

    let (mut owner, link) = (Owner::Live(Weak::<Plain>::new()), Link::default());
    let buckets = vec![BucketReply::default()];
    let reply = BatchReply { buckets, ..BatchReply::default() };
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut applied = pin!(owner.apply(&reply, 0, &link));
        assert!(applied.as_mut().poll(&mut context).is_pending());
        *link.left.lock() = Some(slots);
        link.wake.notify_one();
        assert!(applied.poll(&mut context).is_ready());
    }
    let Poll::Ready(collected) = pin!(owner.collect(false, &link)).poll(&mut context) else {
        panic!("it is there")
    };
    assert!(matches!(collected, Collected::Batch(_)), "what was settled last is not sent");
}
