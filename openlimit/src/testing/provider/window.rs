//! `StrictWindow`: one limit as a provider enforces it that counts in windows.
//!
//! It keeps the calls of the current window. In a fixed window they end together, with the window.
//! In a sliding one each of them ends one period after it came.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::bucket::unenforceable;
use super::meter::Meter;
use crate::bucket::LONGEST_PERIOD;
use crate::{Limit, Rate};

/// The calls in the current window.
#[derive(Clone, Debug)]
pub(super) struct StrictWindow {
    limit: Limit,
    /// The number of windows in a period.
    parts: u32,
    slides: bool,
    /// The times and amounts of the calls, in order. The amounts of a fixed window are added to the
    /// first one, which began it.
    taken: VecDeque<(Instant, u64)>,
    /// The sum of the amounts.
    used: i128,
    now: Instant,
}

impl StrictWindow {
    /// Creates an empty window.
    ///
    /// # Errors
    /// The amount or the period is zero, or the period is above 31 days.
    pub(super) fn new(limit: Limit, parts: u32, slides: bool, now: Instant) -> io::Result<Self> {
        check(&limit)?;
        Ok(Self { limit, parts, slides, taken: VecDeque::new(), used: 0, now })
    }

    /// Returns the time until a call that was made at `at` ends.
    fn until_end(&self, at: Instant) -> Duration {
        self.window().saturating_sub(self.now.saturating_duration_since(at))
    }
}

impl Meter for StrictWindow {
    fn limit(&self) -> &Limit {
        &self.limit
    }

    fn amount(&self) -> u64 {
        self.limit.rate().amount().div_ceil(self.parts.into())
    }

    fn window(&self) -> Duration {
        (self.limit.rate().period() / self.parts).max(Duration::from_nanos(1))
    }

    fn read(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some((at, amount)) = self.taken.front().copied()
            && self.until_end(at).is_zero()
        {
            self.taken.pop_front();
            self.used -= i128::from(amount);
        }
    }

    fn most(&self) -> u64 {
        self.amount()
    }

    fn wait(&self, cost: u64) -> Duration {
        let mut missing = i128::from(cost) - self.left();
        if cost == 0 || missing <= 0 {
            return Duration::ZERO;
        }
        for (at, amount) in &self.taken {
            missing -= i128::from(*amount);
            if missing <= 0 {
                return self.until_end(*at);
            }
        }
        self.until_full()
    }

    fn take(&mut self, cost: u64) {
        // A fixed window has one entry.
        match self.taken.back_mut() {
            Some((at, amount)) if !self.slides || *at == self.now => {
                let before = *amount;
                *amount = amount.saturating_add(cost);
                self.used += i128::from(*amount - before);
            }
            _ => {
                self.taken.push_back((self.now, cost));
                self.used += i128::from(cost);
            }
        }
    }

    fn take_what_is_left(&mut self, cost: u64) {
        let left = u64::try_from(self.left()).unwrap_or(0);
        self.take(cost.min(left));
    }

    fn give_back(&mut self, cost: u64, since: Instant) {
        let slides = self.slides;
        let is_of = |at: Instant| if slides { at == since } else { at <= since };
        if let Some((_, amount)) = self.taken.iter_mut().find(|(at, _)| is_of(*at)) {
            let part = cost.min(*amount);
            *amount -= part;
            self.used -= i128::from(part);
        }
    }

    fn fill(&mut self) {
        self.taken.clear();
        self.used = 0;
    }

    fn left(&self) -> i128 {
        i128::from(self.amount()) - self.used
    }

    fn until_full(&self) -> Duration {
        self.taken.back().map_or(Duration::ZERO, |(at, _)| self.until_end(*at))
    }

    fn set_rate(&mut self, rate: Rate) -> io::Result<()> {
        let limit = Limit::new(self.limit.dimension().name().to_owned(), rate);
        check(&limit)?;
        self.limit = limit;
        Ok(())
    }
}

/// Returns an error if the limit cannot be enforced.
fn check(limit: &Limit) -> io::Result<()> {
    let (amount, period) = (limit.rate().amount(), limit.rate().period());
    if amount == 0 || period.is_zero() || period > LONGEST_PERIOD {
        return Err(unenforceable(limit, period));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn window(parts: u32, slides: bool) -> (StrictWindow, Instant) {
        let (limit, now) = (Limit::new("requests", Rate::per_minute(60)), Instant::now());
        (StrictWindow::new(limit, parts, slides, now).expect("a sound rate"), now)
    }

    #[test]
    fn a_fixed_window_begins_with_its_first_call_and_ends_as_a_whole() {
        let (mut window, start) = window(1, false);
        window.read(start + 10 * SECOND);
        window.take(1);
        window.read(start + 69 * SECOND);
        window.take(59);
        assert_eq!((window.left(), window.wait(1), window.until_full()), (0, SECOND, SECOND));
        window.read(start + 70 * SECOND);
        assert_eq!((window.left(), window.wait(60)), (60, Duration::ZERO));
    }

    #[test]
    fn a_sliding_window_frees_each_call_a_period_later() {
        let (mut window, start) = window(1, true);
        window.take(20);
        window.read(start + 10 * SECOND);
        window.take(40);
        assert_eq!((window.wait(20), window.wait(21)), (50 * SECOND, 60 * SECOND));
        window.read(start + 60 * SECOND);
        assert_eq!((window.left(), window.until_full()), (20, 10 * SECOND));
    }

    #[test]
    fn a_part_of_the_period_has_its_part_of_the_amount() {
        let (mut window, start) = window(6, false);
        assert_eq!((window.amount(), window.most(), window.window()), (10, 10, 10 * SECOND));
        window.take(10);
        assert_eq!(window.wait(1), 10 * SECOND);
        window.read(start + 10 * SECOND);
        assert_eq!(window.left(), 10);
    }

    #[test]
    fn a_call_gives_back_what_it_took_and_nothing_of_others() {
        let (mut window, start) = window(1, true);
        let second = start + SECOND;
        window.take(5);
        window.read(second);
        window.take(3);
        window.give_back(4, second);
        assert_eq!((window.left(), window.wait(56)), (55, 59 * SECOND));
        window.give_back(4, start);
        assert_eq!(window.left(), 59);
        window.read(start + 60 * SECOND);
        window.take(10);
        window.give_back(1, start);
        assert_eq!(window.left(), 50);
    }

    #[test]
    fn a_fixed_window_takes_nothing_back_from_the_one_before() {
        let (mut window, start) = window(1, false);
        window.take(5);
        window.read(start + 10 * SECOND);
        window.take(5);
        window.give_back(5, start + 10 * SECOND);
        assert_eq!(window.left(), 55);
        window.read(start + 60 * SECOND);
        window.take(10);
        window.give_back(5, start + 10 * SECOND);
        assert_eq!(window.left(), 50);
    }
}
