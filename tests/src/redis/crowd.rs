//! Callers that take everything that a shared limit grants, in a loop, and a record of their
//! grants.
//!
//! Each member of a crowd stands for a process: it has its own limiter, connection, thread and
//! runtime. No call has a timeout, so no caller may see an error. The first error ends the test.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use openlimit::{Cost, Rate, RateLimiter, Redis};
use tokio::runtime::Builder;

use super::window::{self, Grant};

/// The limit that a crowd shares.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Requests a second.
    pub rate: u64,
    /// The number of requests that may be taken at once.
    pub burst: u64,
}

/// A call that was granted.
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    /// The index of the call among those of its process, in the order of arrival.
    pub number: u64,
    /// The time of admission, in microseconds of the machine's clock: the arrival, read just before
    /// the call, plus its wait. A caller that the machine delays after its admission does not count
    /// as late. A caller that it delays before the call counts as early.
    pub at: u64,
    /// The amount that it took.
    pub amount: u64,
}

/// The running members.
#[derive(Debug)]
pub struct Crowd {
    share: Share,
    start: Instant,
    stop: Arc<AtomicBool>,
    granted: Arc<AtomicU64>,
    members: Vec<JoinHandle<Vec<Granted>>>,
}

/// The grants of a crowd.
#[derive(Debug)]
pub struct Outcome {
    share: Share,
    /// The number of grants until it was stopped, and the time until then.
    in_time: u64,
    time: Duration,
    /// The number of all grants, and the time that they took.
    pub granted: Vec<Granted>,
    whole: Duration,
}

impl Share {
    /// Creates a limiter of this share, with the name `crowd`.
    ///
    /// # Panics
    /// If it cannot be built.
    #[must_use]
    pub fn limiter(self, redis: &Redis) -> RateLimiter {
        let burst = Duration::from_nanos(self.burst * 1_000_000_000 / self.rate);
        let builder = RateLimiter::builder().name("crowd").requests(Rate::per_second(self.rate)).burst(burst);
        builder.redis(redis.clone()).build().expect("a limiter that can be built")
    }

    /// Returns the most that it may grant in `time`, including the burst.
    #[must_use]
    pub fn most_in(self, time: Duration) -> u64 {
        let worth = u128::from(self.rate) * time.as_micros() / 1_000_000;
        u64::try_from(worth).unwrap_or(u64::MAX) + self.burst
    }

    /// Asserts that no window contains more than `spare` calls beyond the rate and the burst.
    ///
    /// # Panics
    /// If a window contains more.
    #[track_caller]
    pub fn assert_within(self, granted: &[Granted], spare: u64) {
        let burst = Duration::from_nanos(self.burst * 1_000_000_000 / self.rate);
        let limit = window::limit(0, self.rate, Duration::from_secs(1), burst);
        let grants: Vec<_> = granted.iter().map(|call| Grant::at_us(call.at, [call.amount])).collect();
        window::assert_within_by(&[limit], &grants, i64::try_from(spare).unwrap_or(i64::MAX));
    }
}

impl Crowd {
    /// Starts `members` with `callers` each, which call in a loop. Each member has a slightly
    /// longer timeout for replies than the one before, so that members share no connection.
    ///
    /// # Panics
    /// If nothing is granted for a long time.
    #[must_use]
    pub fn start(share: Share, redis: &Redis, timeout: Duration, members: u32, callers: usize) -> Self {
        let (stop, granted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let start = Instant::now();
        let members = (0..members)
            .map(|member| {
                let redis = redis.clone().timeout(timeout + Duration::from_millis(1) * member);
                let (stop, granted, limiter) =
                    (Arc::clone(&stop), Arc::clone(&granted), share.limiter(&redis));
                let count = move |_: &Granted| _ = granted.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || demand(&limiter, callers, count, move || stop.load(Ordering::SeqCst)))
            })
            .collect();
        Self { share, start, stop, granted, members }
    }

    /// Returns the number of calls that were granted so far.
    #[must_use]
    pub fn granted(&self) -> u64 {
        self.granted.load(Ordering::SeqCst)
    }

    /// Waits until `more` further calls are granted.
    ///
    /// # Panics
    /// If that takes half a minute.
    #[track_caller]
    pub fn go_on(&self, more: u64) {
        let (goal, deadline) = (self.granted() + more, Instant::now() + Duration::from_secs(30));
        while self.granted() < goal {
            assert!(Instant::now() < deadline, "only {} of {goal} calls were granted", self.granted());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops the callers, after each of them was granted a last call.
    ///
    /// # Panics
    /// If a caller saw an error.
    #[must_use]
    pub fn stop(self) -> Outcome {
        let (time, in_time) = (self.start.elapsed(), self.granted());
        self.stop.store(true, Ordering::SeqCst);
        let join = |member: JoinHandle<_>| member.join().expect("no caller saw an error");
        let granted: Vec<Granted> = self.members.into_iter().flat_map(join).collect();
        Outcome { share: self.share, in_time, time, granted, whole: self.start.elapsed() }
    }
}

impl Outcome {
    /// Asserts that no more was granted than the rate and the burst allow, from before the first
    /// call until after the last one. This is exact on any machine. Asserts that no window has
    /// another burst: a busy machine delays replies, and with them calls, by more than the jitter
    /// covers. Here that is a tenth of a second of the rate, and one call of each of a few members.
    ///
    /// # Panics
    /// If more was granted.
    #[track_caller]
    pub fn assert_no_excess(&self) {
        self.assert_excess_of(0);
        self.share.assert_within(&self.granted, self.share.rate / 10 + 5);
    }

    /// Asserts that hardly more was granted after the state was lost this many `times`: only grants
    /// that no living client knew about. On a busy machine that is up to a tenth of a second of the
    /// rate, and never another burst. Asserts it for all grants and, except for one call of each of
    /// four members, for every window.
    ///
    /// # Panics
    /// If more was granted.
    #[track_caller]
    pub fn assert_hardly_more(&self, times: u64) {
        let excess = times * self.share.rate / 10;
        self.assert_excess_of(excess);
        self.share.assert_within(&self.granted, excess + 4);
    }

    /// Asserts that at most `excess` was granted beyond that.
    ///
    /// # Panics
    /// If more was granted.
    #[track_caller]
    pub fn assert_excess_of(&self, excess: u64) {
        let most = self.share.most_in(self.whole) + excess;
        let granted: u64 = self.granted.iter().map(|call| call.amount).sum();
        assert!(
            granted <= most,
            "{granted} calls were granted, at most {most} expected, in {:?}",
            self.whole
        );
    }

    /// Asserts that calls went on: half of the rate was granted, minus what it gives in the time
    /// `lost`, since faults take time. A busy machine takes time, too, and cannot be bounded. So
    /// the tests of the slots, whose clock stands still meanwhile, measure what is lost of the
    /// rate.
    ///
    /// # Panics
    /// If less was granted.
    #[track_caller]
    pub fn assert_went_on(&self, lost: Duration) {
        let rest = (self.time / 2).saturating_sub(lost).as_millis() as u64;
        let least = self.share.rate * rest / 1_000;
        assert!(
            self.in_time >= least,
            "{} calls were granted, at least {least} expected, in {:?}",
            self.in_time,
            self.time
        );
    }
}

/// Runs `callers` in a loop until `stop`, in a runtime of this thread.
///
/// # Panics
/// If a caller sees an error.
pub fn demand(
    limiter: &RateLimiter,
    callers: usize,
    granted: impl Fn(&Granted) + Send + Sync + 'static,
    stop: impl Fn() -> bool + Send + Sync + 'static,
) -> Vec<Granted> {
    struct Desk<G, S> {
        granted: G,
        stop: S,
        numbers: AtomicU64,
        /// In the order in which they returned.
        calls: Mutex<Vec<Granted>>,
    }
    let desk = Arc::new(Desk { granted, stop, numbers: AtomicU64::new(0), calls: Mutex::default() });
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let callers = (0..callers).map(|_| {
            let (limiter, desk) = (limiter.clone(), Arc::clone(&desk));
            tokio::spawn(async move {
                while !(desk.stop)() {
                    let number = desk.numbers.fetch_add(1, Ordering::SeqCst);
                    let (at, amount) = call(&limiter, 1).await.expect("no caller sees an error");
                    let call = Granted { number, at, amount };
                    desk.calls.lock().expect("no thread panics with the lock").push(call);
                    (desk.granted)(&call);
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("no caller sees an error");
        }
    });
    std::mem::take(&mut desk.calls.lock().expect("no thread panics with the lock"))
}

/// Makes a call of this many requests. Returns the time of admission, as [`Granted`] defines it,
/// and the amount.
///
/// # Errors
/// Those of the limiter.
pub async fn call(limiter: &RateLimiter, amount: u64) -> Result<(u64, u64), openlimit::AcquireError> {
    let before = now_us();
    let permit = limiter.acquire(Cost::new().requests(amount)).await?;
    Ok((before + u64::try_from(permit.waited().as_micros()).unwrap_or(u64::MAX), amount))
}

/// Returns the machine's clock, in microseconds since 1970. Servers show the same time, unless a
/// test sets their clock.
#[must_use]
pub fn now_us() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
