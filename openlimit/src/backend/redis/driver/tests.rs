//! Tests of situations that cannot be caused from outside: a session that panics, a limiter that is
//! dropped while its batch is in flight, and a batch without a reply for minutes.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Builder;
use tokio::time::{Instant as Moment, sleep};

use super::carry::{Decider, supervise};
use super::link::Link;
use super::owner::{Collected, Owner};
use super::retry::Retry;
use crate::backend::redis::Slots;
use crate::backend::redis::client::{Batch, NoReply};
use crate::backend::redis::failure::Fate;
use crate::backend::redis::key::Keys;
use crate::backend::redis::scale::Scale;
use crate::backend::redis::settings::{Common, Settings};
use crate::backend::redis::slots::{Alone, SharedLimit};
use crate::backend::redis::terms::Terms;
use crate::backend::redis::trip::UsualTrip;
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
        Alone::new(Memory::default(), 1),
        0,
        UsualTrip::default(),
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
    async fn decide(&mut self, _: &Batch, _: Fate) -> Result<BatchReply, NoReply> {
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

/// Has no reply to any batch, for a reason and with a fate that stay. Notes when each was sent, and
/// its number.
struct Silent {
    sent: Arc<Mutex<Vec<(Moment, u64)>>>,
    problem: StoreProblem,
    fate: Fate,
}

impl Decider for Silent {
    async fn decide(&mut self, batch: &Batch, _: Fate) -> Result<BatchReply, NoReply> {
        let number = f64::from_le_bytes(*batch.bytes.first_chunk().expect("a number"));
        self.sent.lock().push((Moment::now(), number as u64));
        let error = StoreError::new(&"".into(), self.problem.clone());
        Err(NoReply { error, fate: self.fate, other_limits: None })
    }
}

/// Runs the session of a limiter, for which a call joins every `joins`, for so long. Returns when
/// each batch was sent, and its number. Asserts that each call was refused.
fn silent((problem, fate): (StoreProblem, Fate), joins: Duration, time: Duration) -> Vec<(Duration, u64)> {
    let (limiter, link) = (Plain::new(), Arc::<Link>::default());
    limiter.serve(&mut |backend, _, now| {
        backend.owe(&amounts(), now);
        Refusals::new()
    });
    let sent = Arc::<Mutex<Vec<_>>>::default();
    let weak: Weak<dyn Served> = Arc::downgrade(&limiter) as _;
    let notes = Arc::clone(&sent);
    let decider = move || Silent { sent: Arc::clone(&notes), problem: problem.clone(), fate };
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let start = runtime.block_on(async {
        let start = Moment::now();
        tokio::spawn(supervise(Owner::Live(weak), Arc::clone(&link), settings(), decider));
        while start.elapsed() < time {
            limiter.join();
            link.wake.notify_one();
            sleep(joins).await;
        }
        start
    });
    assert!(limiter.0.lock().1.len() < 10, "calls are left alone");
    sent.lock().iter().map(|(at, number)| (*at - start, *number)).collect()
}

#[test]
fn what_may_have_been_decided_is_sent_again_unchanged_for_as_long_as_the_server_keeps_its_reply() {
    let silence = || StoreProblem::TimedOut(Duration::ZERO);
    let refusal = || StoreProblem::Refused(String::new());
    let pause = Duration::from_secs(100);
    for problem in [silence(), refusal()] {
        let sent = silent((problem, Fate::Unknown), pause, 2 * Retry::LONGEST);
        let first = sent.iter().filter(|(_, number)| *number == 1);
        let last = first.map(|(at, _)| *at).max().expect("a batch");
        assert!(last <= Retry::LONGEST && last > Retry::LONGEST * 9 / 10, "{last:?}");
        // The next call has a new one sent, which takes along what is safe to count twice.
        assert!(sent.iter().any(|(_, number)| *number == 2));
    }
    // What was certainly not decided is sent for ever.
    let sent = silent((silence(), Fate::Undecided), pause, 2 * Retry::LONGEST);
    assert!(sent.iter().all(|(_, number)| *number == 1));
    assert!(sent.last().expect("a batch").0 > Retry::LONGEST * 3 / 2);
}

#[test]
fn a_batch_that_was_refused_and_may_have_been_decided_is_sent_again_for_the_next_call() {
    let refusal = StoreProblem::Refused(String::new());
    // Callers who retry at once do not make the driver do so.
    for (joins, most) in [(10, 180), (1_000, 30)] {
        let sent =
            silent((refusal.clone(), Fate::Unknown), Duration::from_millis(joins), Duration::from_secs(9));
        assert!(sent.iter().all(|(_, number)| *number == 1));
        assert!((9..=most).contains(&sent.len()), "{} batches", sent.len());
    }
    // A reply that cannot be used is the end of its batch.
    let sent = silent((refusal, Fate::Decided), Duration::from_secs(1), Duration::from_secs(9));
    assert!(sent.iter().is_sorted_by(|one, next| one.1 < next.1), "{sent:?}");
}
