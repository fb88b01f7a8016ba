//! Reading the monotonic clock in some 10 ns in place of 23 to 40, without ever running ahead of it.
//!
//! The processor's counter is read by quanta. Its rate is not quanta's calibration, which was seen to be off by
//! 222 ppm, but is measured against `Instant` over and over: every quarter of a second the reading is anchored
//! to `Instant` again, and in between it advances at the rate last measured, less a margin. So it lags behind
//! by up to some 0.1 ms, jumps forward to the true time at each anchor, and never leads.
//!
//! quanta needs some 10 to 200 ms to set itself up, which no caller is to pay for: a thread does it, once the
//! clock has been read so often that the difference matters.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::thread;
use std::time::{Duration, Instant};

use once_cell::sync::{Lazy, OnceCell};

static START: Lazy<Instant> = Lazy::new(Instant::now);
static FAST: OnceCell<Fast> = OnceCell::new();

/// Nanoseconds since the first call in this process, by `Instant`.
pub(super) fn precise() -> u64 {
    // 584 years fit.
    START.elapsed().as_nanos() as u64
}

/// The same, possibly some 0.1 ms ago.
#[inline]
pub(super) fn now() -> u64 {
    match FAST.get() {
        Some(fast) => fast.now(),
        None => warming_up(),
    }
}

/// So many reads are worth a thread: they have cost what it costs.
const WORTH_A_THREAD: u32 = 100_000;

#[cold]
fn warming_up() -> u64 {
    static READS: AtomicU32 = AtomicU32::new(0);
    if READS.load(Ordering::Relaxed) < WORTH_A_THREAD
        && READS.fetch_add(1, Ordering::Relaxed) + 1 == WORTH_A_THREAD
    {
        // Where no thread can be had, the slower clock serves as well.
        let _ = thread::Builder::new().name("openlimit-clock".into()).spawn(|| FAST.set(Fast::measured()));
    }
    precise()
}

struct Fast {
    counter: quanta::Clock,
    /// Odd while the three below change (a seqlock).
    version: AtomicU64,
    /// The counter at the anchor.
    ticks: AtomicU64,
    /// The time at the anchor.
    nanos: AtomicU64,
    /// Nanoseconds a tick since then, times 2^32.
    rate: AtomicU64,
    /// For how many ticks an anchor serves. In ticks, so that whatever a suspended or migrated machine made of one
    /// measurement is over with the next: a counter that leapt, or went back, is soon anchored anew.
    span: u64,
    /// The highest rate that a later measurement can honestly find.
    most: u64,
}

/// How long an anchor serves.
const ANCHOR: Duration = Duration::from_millis(250);

/// What is taken off the measured rate: 2^-11 or 488 ppm, just below the 500 ppm by which NTP may change the
/// pace of the system's clock while it slews, of which the part within a quarter of a second is far smaller.
const MARGIN: u32 = 11;

impl Fast {
    /// Measures the counter's rate, in some 20 ms.
    fn measured() -> Self {
        let counter = quanta::Clock::new();
        let first = Reading::take(&counter);
        thread::sleep(Duration::from_millis(20));
        let second = Reading::take(&counter);
        let rate = rate(first.before, first.nanos, &second);
        Self::anchored(counter, &second, rate)
    }

    fn anchored(counter: quanta::Clock, reading: &Reading, rate: u64) -> Self {
        let span = (ANCHOR.as_nanos() << 32) / u128::from(rate.max(1));
        Self {
            counter,
            version: AtomicU64::new(0),
            ticks: AtomicU64::new(reading.after),
            nanos: AtomicU64::new(reading.nanos),
            rate: AtomicU64::new(rate),
            span: u64::try_from(span).unwrap_or(u64::MAX),
            // Twice the margin: once for what was taken off, once for what NTP may do.
            most: rate.saturating_add(rate >> (MARGIN - 1)),
        }
    }

    #[inline]
    fn now(&self) -> u64 {
        let version = self.version.load(Ordering::Acquire);
        let ticks = self.ticks.load(Ordering::Relaxed);
        let nanos = self.nanos.load(Ordering::Relaxed);
        let rate = self.rate.load(Ordering::Relaxed);
        // Pairs with the fence in `anchor`: a version that is still the same guarded the three reads above.
        fence(Ordering::Acquire);
        if version % 2 == 1 || self.version.load(Ordering::Relaxed) != version {
            return precise();
        }
        let passed = self.counter.raw().wrapping_sub(ticks);
        if passed < self.span {
            nanos + (passed.saturating_mul(rate) >> 32)
        } else {
            self.anchor(version, ticks, nanos)
        }
    }

    /// Ties the counter to the clock again.
    #[cold]
    fn anchor(&self, version: u64, ticks: u64, nanos: u64) -> u64 {
        let (relaxed, acquire) = (Ordering::Relaxed, Ordering::Acquire);
        if self.version.compare_exchange(version, version + 1, acquire, relaxed).is_err() {
            return precise();
        }
        let reading = Reading::take(&self.counter);
        fence(Ordering::Release);
        self.ticks.store(reading.after, Ordering::Relaxed);
        self.nanos.store(reading.nanos, Ordering::Relaxed);
        self.rate.store(rate(ticks, nanos, &reading).min(self.most), Ordering::Relaxed);
        self.version.store(version + 2, Ordering::Release);
        reading.nanos
    }
}

/// The counter just before and just after a look at the clock.
struct Reading {
    before: u64,
    nanos: u64,
    after: u64,
}

impl Reading {
    /// The tightest of three, since a thread may be interrupted in the middle of one.
    fn take(counter: &quanta::Clock) -> Self {
        let readings = [(); 3].map(|()| {
            let before = counter.raw();
            let nanos = precise();
            Self { before, nanos, after: counter.raw() }
        });
        let [first, second, third] = readings;
        let tighter = |one: Self, other: Self| if other.width() < one.width() { other } else { one };
        tighter(tighter(first, second), third)
    }

    fn width(&self) -> u64 {
        self.after.wrapping_sub(self.before)
    }
}

/// The rate from an earlier look to a reading, rounded down in every respect.
fn rate(ticks: u64, nanos: u64, reading: &Reading) -> u64 {
    let ticks = reading.after.wrapping_sub(ticks).max(1);
    let nanos = reading.nanos.saturating_sub(nanos);
    let rate = (u128::from(nanos) << 32) / u128::from(ticks);
    let rate = u64::try_from(rate).unwrap_or(0);
    rate - rate.div_ceil(1 << MARGIN).min(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One tick is about a nanosecond.
    fn fast() -> (Fast, std::sync::Arc<quanta::Mock>) {
        let (counter, ticks) = quanta::Clock::mock();
        ticks.increment(1_u64 << 40);
        let reading = Reading::take(&counter);
        (Fast::anchored(counter, &reading, 1 << 32), ticks)
    }

    #[test]
    fn it_catches_up_after_the_counter_ran_on_while_the_clock_stood_still() {
        let (fast, ticks) = fast();
        ticks.increment(8 * 3_600_000_000_000_u64);
        fast.now();
        ticks.increment(fast.span);
        let before = precise();
        assert!(fast.now() >= before);
    }

    #[test]
    fn it_catches_up_after_the_counter_went_back() {
        let (fast, ticks) = fast();
        ticks.decrement(1_u64 << 39);
        let before = precise();
        assert!(fast.now() >= before);
        ticks.increment(fast.span);
        let before = precise();
        assert!(fast.now() >= before);
    }

    #[test]
    fn it_never_leads_after_the_counter_stood_still_while_the_clock_ran_on() {
        let (fast, ticks) = fast();
        thread::sleep(Duration::from_millis(2));
        ticks.increment(fast.span);
        fast.now();
        assert!(fast.rate.load(Ordering::Relaxed) <= fast.most);
    }

    #[test]
    fn the_measured_clock_never_leads() {
        let fast = Fast::measured();
        for _ in 0..100_000 {
            let fast = fast.now();
            assert!(fast <= precise());
        }
    }
}
