//! Callers who want all that a shared limit grants, without end, and what they were granted.
//!
//! Each member of a crowd is a client as a process would be one: it has a limiter, a connection, a thread and a runtime of its own.
//! No call has a time-out, so an error that reaches a caller is one too many, and ends the test.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use openlimit::{Cost, Rate, RateLimiter, Redis};
use tokio::runtime::Builder;

use super::window::{self, Grant};

/// What a crowd shares.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Requests a second.
    pub rate: u64,
    /// How many may be taken at once.
    pub burst: u64,
}

/// A call that was granted.
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    /// Which of the process's calls it was, in the order of their arrival.
    pub number: u64,
    /// When it was admitted, in microseconds of the machine's clock: its arrival, looked at just before, and its wait. So a caller
    /// whom the machine holds up afterwards does not count as late, and one whom it holds up just there counts as early.
    pub at: u64,
    /// How much it took.
    pub amount: u64,
}

/// Members at work.
#[derive(Debug)]
pub struct Crowd {
    share: Share,
    start: Instant,
    stop: Arc<AtomicBool>,
    granted: Arc<AtomicU64>,
    members: Vec<JoinHandle<Vec<Granted>>>,
}

/// What a crowd was granted.
#[derive(Debug)]
pub struct Outcome {
    share: Share,
    /// How many until it was told to stop, and how long that was.
    in_time: u64,
    time: Duration,
    /// All that it was granted, and in how long.
    pub granted: Vec<Granted>,
    whole: Duration,
}

impl Share {
    /// A limiter of this share by the name of `crowd`.
    ///
    /// # Panics
    /// If it cannot be built.
    #[must_use]
    pub fn limiter(self, redis: &Redis) -> RateLimiter {
        let burst = Duration::from_nanos(self.burst * 1_000_000_000 / self.rate);
        let builder = RateLimiter::builder().name("crowd").requests(Rate::per_second(self.rate)).burst(burst);
        builder.redis(redis.clone()).build().expect("a limiter that can be built")
    }

    /// What it may grant in `time` at most, burst included.
    #[must_use]
    pub fn most_in(self, time: Duration) -> u64 {
        let worth = u128::from(self.rate) * time.as_micros() / 1_000_000;
        u64::try_from(worth).unwrap_or(u64::MAX) + self.burst
    }

    /// Asserts that in no window more was granted than the rate and the burst allow, `spare` calls beyond that excepted.
    ///
    /// # Panics
    /// If more was.
    #[track_caller]
    pub fn assert_within(self, granted: &[Granted], spare: u64) {
        let burst = Duration::from_nanos(self.burst * 1_000_000_000 / self.rate);
        let limit = window::limit(0, self.rate, Duration::from_secs(1), burst);
        let grants: Vec<_> = granted.iter().map(|call| Grant::at_us(call.at, [call.amount])).collect();
        window::assert_within_by(&[limit], &grants, i64::try_from(spare).unwrap_or(i64::MAX));
    }
}

impl Crowd {
    /// Starts `members` with `callers` each, who call again and again. They wait for an answer for `timeout`, and each member a little
    /// longer than the one before: those who differ in that share no connection.
    ///
    /// # Panics
    /// If they are granted nothing for long.
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

    /// How many calls it was granted so far.
    #[must_use]
    pub fn granted(&self) -> u64 {
        self.granted.load(Ordering::SeqCst)
    }

    /// Waits until it was granted `more` calls than now.
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

    /// Lets everyone who waits be granted a last call.
    ///
    /// # Panics
    /// If anybody met an error.
    #[must_use]
    pub fn stop(self) -> Outcome {
        let (time, in_time) = (self.start.elapsed(), self.granted());
        self.stop.store(true, Ordering::SeqCst);
        let join = |member: JoinHandle<_>| member.join().expect("no error reached a caller");
        let granted: Vec<Granted> = self.members.into_iter().flat_map(join).collect();
        Outcome { share: self.share, in_time, time, granted, whole: self.start.elapsed() }
    }
}

impl Outcome {
    /// Asserts that no more was granted than the rate and the burst allow, from before the first call until after the last one: that
    /// is exact, whatever the machine does. And the same for every window, but for one call of each of a few members.
    ///
    /// # Panics
    /// If more was.
    #[track_caller]
    pub fn assert_no_excess(&self) {
        self.assert_excess_of(0);
        self.share.assert_within(&self.granted, 5);
    }

    /// Asserts that hardly more was granted, as where a state was lost so many `times`: what nobody alive had heard of. On a busy
    /// machine that is as much as the rate gives in a tenth of a second, and not another burst. Holds for all that was granted and,
    /// but for one call of each of four members, for every window.
    ///
    /// # Panics
    /// If more was.
    #[track_caller]
    pub fn assert_hardly_more(&self, times: u64) {
        let excess = times * self.share.rate / 10;
        self.assert_excess_of(excess);
        self.share.assert_within(&self.granted, excess + 4);
    }

    /// Asserts that no more than `excess` was granted beyond that.
    ///
    /// # Panics
    /// If more was.
    #[track_caller]
    pub fn assert_excess_of(&self, excess: u64) {
        let most = self.share.most_in(self.whole) + excess;
        let granted: u64 = self.granted.iter().map(|call| call.amount).sum();
        assert!(granted <= most, "{granted} were granted instead of {most} in {:?}", self.whole);
    }

    /// Asserts that almost all was granted that could be: 97 % of the rate, but for what it gives in the time that `lost` allows (a
    /// fault takes some, and a busy machine), and the burst without what is kept back for jitter.
    ///
    /// # Panics
    /// If less was.
    #[track_caller]
    pub fn assert_no_loss(&self, lost: Duration) {
        let kept_back = Duration::from_millis(50);
        let least = self.share.most_in((self.time * 97 / 100).saturating_sub(kept_back + lost));
        assert!(self.in_time >= least, "{} were granted, not {least} in {:?}", self.in_time, self.time);
    }
}

/// Has `callers` call again and again until they are to `stop`, in a runtime of this thread.
///
/// # Panics
/// If anybody meets an error.
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
        /// In the order in which they came back.
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
                    let (at, amount) = call(&limiter, 1).await.expect("no error is to reach a caller");
                    let call = Granted { number, at, amount };
                    desk.calls.lock().expect("nobody panics with it").push(call);
                    (desk.granted)(&call);
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("no error is to reach a caller");
        }
    });
    std::mem::take(&mut desk.calls.lock().expect("nobody panics with it"))
}

/// A call of so many requests: when it was admitted, as [`Granted`] says it, and how much it took.
///
/// # Errors
/// The limiter's.
pub async fn call(limiter: &RateLimiter, amount: u64) -> Result<(u64, u64), openlimit::AcquireError> {
    let before = now_us();
    let permit = limiter.acquire(Cost::new().requests(amount)).await?;
    Ok((before + u64::try_from(permit.waited().as_micros()).unwrap_or(u64::MAX), amount))
}

/// The machine's clock, in microseconds since 1970: that of every server here which was not given another one.
#[must_use]
pub fn now_us() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
