//! `Climb`: a rate that was cut after a refusal, and climbs back by itself.
//!
//! # The rule
//!
//! A provider that refuses a call without a warning serves others from the same limit, or allows
//! less than was declared. So the rate is halved. Then it climbs back, by the same amount every
//! second, until it is refused again. This is AIMD (additive increase, multiplicative decrease),
//! which TCP shares a network by ([RFC 5681](https://www.rfc-editor.org/rfc/rfc5681)).
//!
//! A climb is given by two times: its `end`, when the rate is whole again, and its `span`, the time
//! of a climb from zero to the whole rate. `x` before the end, `x / span` of the rate is missing.
//!
//! # A clock that runs slower
//!
//! Nothing has to happen while the rate climbs. A bucket leaks at the same rate as ever, but on a
//! clock of its own, which runs slower until the end of the climb. So a level, a charge and the
//! time at which a call is due need no other arithmetic. At a real time `t`, which is `x` before
//! the end, that clock shows
//!
//! ```text
//! t + x^2 / (2 * span)
//! ```
//!
//! It is ahead of the real time by what it will lose until the end, and from then on both are the
//! same. So a bucket that does not climb has only one clock.
//!
//! Example: a span of 10 s, and a rate that was halved at 100 s. The climb ends at 105 s. At 100 s
//! the bucket's clock shows 100 + 25 / 20 = 101.25 s, at 104 s it shows 104.05 s, and at 105 s it
//! shows 105 s. In these five seconds it leaks what leaks in 3.75 s: three quarters of the rate,
//! the mean of a half and the whole.
//!
//! # Exact
//!
//! Both clocks count whole nanoseconds. The loss is computed from the end of the climb each time.
//! So an error is below a nanosecond, and errors do not add up.

/// The time of a climb from zero to the whole rate, in nanoseconds: 10 s, so 10 % a second.
///
/// In a simulation with another consumer of the same limit, 20 % a second drew twice the refusals,
/// and 5 % left up to 7 % of the limit unused.
pub(crate) const CLIMB: u64 = 10_000_000_000;

/// The same after a provider asked for slower growth, in nanoseconds: one hour. A halved rate is
/// then at three quarters after 15 minutes, and whole after 30. OpenAI's rule for its `slow_down`
/// is to raise the traffic by no more than 50 % every 15 minutes.
pub(crate) const SLOW_CLIMB: u64 = 3_600_000_000_000;

/// The largest part of a rate that cuts may take: seven of eight parts, as a header may. Where
/// others leave less than that, a rate that falls further would hardly be refused less often.
const MOST_MISSING: (u64, u64) = (7, 8);

/// A rate that was cut, and its way back. Times are nanoseconds of the limiter's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Climb {
    /// When the rate is whole again.
    end: u64,
    /// The time of a climb from zero to the whole rate. Not zero.
    span: u64,
}

impl Default for Climb {
    /// A climb that is over.
    fn default() -> Self {
        Self { end: 0, span: CLIMB }
    }
}

impl Climb {
    /// Creates a climb that ends in `rest` nanoseconds from `now`.
    #[allow(dead_code, reason = "for backends that keep climbs elsewhere")]
    pub(crate) fn ending_in(rest: u64, span: u64, now: u64) -> Self {
        Self { end: now.saturating_add(rest), span: span.clamp(1, SLOW_CLIMB) }
    }

    /// Returns when the rate is whole again. It may be over.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Halves the rate at `now`. The rate then climbs at the pace of `span`, unless it is climbing
    /// more slowly already.
    #[must_use]
    pub(crate) fn cut(&self, span: u64, now: u64) -> Self {
        let missing = self.missing(now);
        let longest = if missing > 0 { self.span.max(span) } else { span };
        let missing = u128::from(missing) * u128::from(longest) / u128::from(self.span);
        let after = u128::from(longest).saturating_add(missing).div_ceil(2);
        let cut = Self { end: u64::MAX, span: longest };
        let after = u64::try_from(after).unwrap_or(u64::MAX).min(cut.most_missing());
        Self { end: now.saturating_add(after), ..cut }
    }

    /// Lets the climb stand still from one moment to another, which may be earlier.
    #[must_use]
    pub(crate) fn moved(&self, from: u64, to: u64) -> Self {
        match self.missing(from) {
            0 => *self,
            missing => Self { end: to.saturating_add(missing), ..*self },
        }
    }

    /// Returns the part of the rate at `now`, as a fraction.
    pub(crate) fn part(&self, now: u64) -> (u64, u64) {
        (self.span - self.missing(now), self.span)
    }

    /// Returns the time until the end. Before the rate was cut it is the time just after that.
    pub(crate) fn missing(&self, now: u64) -> u64 {
        self.end.saturating_sub(now).min(self.most_missing())
    }

    /// Returns what the bucket's clock shows at a real time.
    pub(crate) fn clock(&self, time: u64) -> u64 {
        let missing = u128::from(self.missing(time));
        let lost = missing * missing / (2 * u128::from(self.span));
        time.saturating_add(u64::try_from(lost).unwrap_or(u64::MAX))
    }

    /// Returns the first real time at which the bucket's clock shows `shown` or more.
    pub(crate) fn time(&self, shown: u64) -> u64 {
        let Some(before) = self.end.checked_sub(shown).filter(|before| *before > 0) else { return shown };
        // `before` is x - x^2 / (2 * span). Solved for the smaller x.
        let (span, before) = (u128::from(self.span), u128::from(before));
        let root = (span * span).saturating_sub(2 * span * before).isqrt();
        let missing = u64::try_from(span - root).unwrap_or(u64::MAX).min(self.most_missing());
        let near = if missing < self.most_missing() {
            self.end.saturating_sub(missing)
        } else {
            // It was before the cut, when both clocks ran at the same pace.
            let start = self.end.saturating_sub(missing);
            shown.saturating_sub(self.clock(start) - start)
        };
        // The root and the loss are whole numbers, so it may be beside the time.
        let mut time = near.saturating_sub(2);
        while self.clock(time) < shown {
            time += 1;
        }
        time
    }

    fn most_missing(&self) -> u64 {
        self.span / MOST_MISSING.1 * MOST_MISSING.0
    }
}

#[cfg(test)]
mod tests {
    use super::{CLIMB, Climb, SLOW_CLIMB};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn each_cut_halves_the_rate_down_to_an_eighth() {
        let mut climb = Climb::default();
        let mut parts = Vec::new();
        for _ in 0..5 {
            climb = climb.cut(CLIMB, 100 * SECOND);
            let (part, of) = climb.part(100 * SECOND);
            parts.push(1_000 * part / of);
        }
        assert_eq!(parts, [500, 250, 125, 125, 125]);
    }

    #[test]
    fn the_rate_climbs_by_a_tenth_a_second_until_it_is_whole() {
        let climb = Climb::default().cut(CLIMB, 100 * SECOND);
        let part = |second: u64| {
            let (part, of) = climb.part(second * SECOND);
            100 * part / of
        };
        assert_eq!([100, 101, 104, 105, 1_000].map(part), [50, 60, 90, 100, 100]);
    }

    #[test]
    fn a_cut_within_a_slow_climb_climbs_as_slowly() {
        let slow = Climb::default().cut(SLOW_CLIMB, 0);
        let climb = slow.cut(CLIMB, 300 * SECOND);
        assert_eq!(climb.part(300 * SECOND), (1_050 * SECOND, 3_600 * SECOND));
        // And a request for slower growth slows a climb down.
        let climb = Climb::default().cut(CLIMB, 0).cut(SLOW_CLIMB, 2 * SECOND);
        assert_eq!(climb.part(2 * SECOND), (1_260 * SECOND, 3_600 * SECOND));
    }

    #[test]
    fn the_two_clocks_agree_in_both_directions() {
        for (span, at) in [(CLIMB, 100 * SECOND), (SLOW_CLIMB, 3), (CLIMB, u64::MAX - SECOND)] {
            let climb = Climb::default().cut(span, at).cut(span, at);
            let mut last = 0;
            for part in 0..2_000_u64 {
                let time = at.saturating_add(span / 1_000 * part);
                let shown = climb.clock(time);
                assert!(shown >= time && shown >= last, "{shown} at {time}, {last} before");
                last = shown;
                let back = climb.time(shown);
                assert!(back <= time && time - back < 16, "{back} for {time}");
                assert!(climb.clock(back) >= shown, "{back} is too early for {shown}");
            }
        }
    }

    #[test]
    fn times_before_a_cut_are_a_constant_apart() {
        let climb = Climb::default().cut(CLIMB, SECOND).cut(CLIMB, SECOND).cut(CLIMB, SECOND);
        let ahead = climb.clock(SECOND) - SECOND;
        for time in [0, 1, SECOND / 2] {
            assert_eq!(climb.clock(time), time + ahead);
            assert!(climb.time(time + ahead).abs_diff(time) <= 2);
        }
        assert_eq!(climb.time(0), 0);
    }

    #[test]
    fn a_climb_that_stands_still_has_the_same_part_of_the_rate_afterwards() {
        let climb = Climb::default().cut(CLIMB, SECOND);
        let moved = climb.moved(2 * SECOND, 60 * SECOND);
        assert_eq!(moved.part(60 * SECOND), climb.part(2 * SECOND));
        assert_eq!(Climb::default().moved(SECOND, 60 * SECOND), Climb::default());
    }
}
