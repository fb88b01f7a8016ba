//! `now`: reads the monotonic clock in about 10 ns, where `Instant::now` takes 23 to 40 ns.
//!
//! An admitted call costs little more than one reading of the clock, so a faster reading makes
//! every call faster.
//!
//! # The rule
//!
//! The processor counts ticks at a constant pace, and the crate `quanta` reads its counter in a few
//! nanoseconds. Now and then the counter and `Instant` are read together: an *anchor*. Between two
//! anchors,
//!
//! ```text
//! time = time at the anchor + ticks since the anchor * rate
//! ```
//!
//! where `rate` is the number of nanoseconds per tick.
//!
//! # Never ahead
//!
//! A reading may be late, but must never be early. A late one admits a call a little later than
//! possible, and [`Builder::jitter`](crate::Builder::jitter) covers that. An early one would admit
//! a call before its time, and exceed the limit. Two things keep the reading behind the true time:
//!
//! - The rate is measured from one anchor to the next, against `Instant`. quanta also calibrates a
//!   rate of its own, but that was seen to be off by 222 ppm (millionths).
//! - A margin of 488 ppm is subtracted from the measured rate. So the reading falls more and more
//!   behind. The first reading after 250 ms sets a new anchor and jumps forward to the true time.
//!   By then the reading is late by `250 ms * 488 ppm = 0.12 ms`.
//!
//! For example, on a counter of 2 GHz a tick takes 0.5 ns and is counted as 0.499756 ns. After 500
//! million ticks, 250 ms have passed, and the reading has advanced by 249.878 ms.
//!
//! # Setup
//!
//! quanta needs 10 to 200 ms to set itself up, and no caller should wait for that. A thread does it
//! once the clock has been read 100 000 times, when the difference begins to matter. Until then,
//! and while another thread sets an anchor, `Instant` is read.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::thread;
use std::time::{Duration, Instant};

use once_cell::sync::{Lazy, OnceCell};

static START: Lazy<Instant> = Lazy::new(Instant::now);
static FAST: OnceCell<Fast> = OnceCell::new();

/// Returns the nanoseconds since the first reading in this process, read from `Instant`.
pub(super) fn precise() -> u64 {
    // 584 years fit.
    START.elapsed().as_nanos() as u64
}

/// Returns the same from the counter: at most about 0.1 ms late, and never early.
#[inline]
pub(super) fn now() -> u64 {
    match FAST.get() {
        Some(fast) => fast.now(),
        None => warming_up(),
    }
}

/// The number of readings after which a thread sets up the counter. By then the slower readings
/// have cost a few milliseconds more, about as much processor time as the thread takes.
const WORTH_A_THREAD: u32 = 100_000;

/// Reads `Instant`, and starts the thread that sets up the counter when it is time for that.
#[cold]
fn warming_up() -> u64 {
    static READS: AtomicU32 = AtomicU32::new(0);
    if READS.load(Ordering::Relaxed) < WORTH_A_THREAD
        && READS.fetch_add(1, Ordering::Relaxed) + 1 == WORTH_A_THREAD
    {
        // If no thread can be started, the slower clock stays in use.
        let _ = thread::Builder::new().name("openlimit-clock".into()).spawn(|| FAST.set(Fast::measured()));
    }
    precise()
}

/// The counter and its latest anchor.
///
/// The anchor is guarded by a seqlock: a reader reads it between two readings of the version, and
/// falls back to `Instant` if it changed meanwhile.
struct Fast {
    counter: quanta::Clock,
    /// Odd while the three fields below change.
    version: AtomicU64,
    /// The counter at the anchor.
    ticks: AtomicU64,
    /// The time at the anchor.
    nanos: AtomicU64,
    /// Nanoseconds per tick, times 2^32.
    rate: AtomicU64,
    /// The number of ticks after which a new anchor is due.
    ///
    /// In ticks, because they can be compared without reading `Instant`. When a machine was
    /// suspended or migrated, the counter may have jumped forward or back. Either is more ticks
    /// than this, so the next reading sets a new anchor.
    span: u64,
    /// The highest rate that a later measurement may set.
    most: u64,
}

/// The time for which an anchor is used. Setting one takes three readings of `Instant`, which are
/// negligible four times a second, and the lag grows with it.
const ANCHOR: Duration = Duration::from_millis(250);

/// The margin that is subtracted from the measured rate, as a power of two: 2^-11 is 488 ppm.
///
/// NTP changes the pace of the system's clock by at most 500 ppm, and within a quarter of a second
/// by far less. So the counter stays behind even if the system's clock slows down after the
/// measurement.
const MARGIN: u32 = 11;

impl Fast {
    /// Sets up the counter and measures its rate, which takes at least 20 ms.
    fn measured() -> Self {
        let counter = quanta::Clock::new();
        let first = Reading::take(&counter);
        thread::sleep(Duration::from_millis(20));
        let second = Reading::take(&counter);
        let rate = rate(first.before, first.nanos, &second);
        Self::anchored(counter, &second, rate)
    }

    /// Creates a clock whose first anchor is `reading`.
    fn anchored(counter: quanta::Clock, reading: &Reading, rate: u64) -> Self {
        let span = (ANCHOR.as_nanos() << 32) / u128::from(rate.max(1));
        Self {
            counter,
            version: AtomicU64::new(0),
            ticks: AtomicU64::new(reading.after),
            nanos: AtomicU64::new(reading.nanos),
            rate: AtomicU64::new(rate),
            span: u64::try_from(span).unwrap_or(u64::MAX),
            // Twice the margin: once because it was subtracted from `rate`, once because NTP may
            // have sped up the system's clock since.
            most: rate.saturating_add(rate >> (MARGIN - 1)),
        }
    }

    #[inline]
    fn now(&self) -> u64 {
        let version = self.version.load(Ordering::Acquire);
        let ticks = self.ticks.load(Ordering::Relaxed);
        let nanos = self.nanos.load(Ordering::Relaxed);
        let rate = self.rate.load(Ordering::Relaxed);
        // Pairs with the fence in `anchor`: if the version is still the same, the three values
        // above belong together.
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

    /// Sets a new anchor and returns its time. `version`, `ticks` and `nanos` are those of the old
    /// one. If another thread is setting one, only reads `Instant`.
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

/// A reading of `Instant`, and the counter just before and just after it.
struct Reading {
    before: u64,
    nanos: u64,
    after: u64,
}

impl Reading {
    /// Takes three readings and returns the tightest. A thread may be interrupted within one.
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

    /// Returns how many ticks the reading took.
    fn width(&self) -> u64 {
        self.after.wrapping_sub(self.before)
    }
}

/// Returns the rate from an earlier anchor to `reading`, less the margin. Every rounding is down.
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

    /// Returns a clock of which a tick is about a nanosecond, and its counter.
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
