//! `Estimate`: what a part of a call will cost, learned from the calls before it.
//!
//! # For the crowd, not for each call
//!
//! The costs of single calls differ widely. But what has to fit a limit is the sum over all calls
//! in flight, and a sum of many differs little from its mean. So a call reserves
//!
//! ```text
//! mean + ERRORS * deviation * sqrt(1 / crowd + DOUBT / known)
//! ```
//!
//! where the crowd is the number of calls in a burst. The first term is the standard error of their
//! sum. The second is the error of the mean itself, which is large while few calls are known. A
//! call never reserves more than the largest one that was seen lately.
//!
//! A high quantile would be the wrong measure: it covers each call, and wastes the limit where
//! calls take long, because refunds come too late.
//!
//! # The constants
//!
//! They come from a simulation of 10 000 tokens a second, a jitter of 50 ms, and outputs with a
//! lognormal distribution (sigma 0.8) at a tenth of the named maximum, with 12 seeds. The table
//! shows the part of the limit that was used at least, and in brackets by how much the amounts
//! really used exceeded the bound at most, in seconds of the rate.
//!
//! | burst, s | a call takes, s | 1 error, doubt 2 | 2 errors, doubt 1 | **2 errors, doubt 2** | 3 errors, doubt 2 |
//! | --- | --- | --- | --- | --- | --- |
//! | 1 | 5 | 86 % (0.70) | 81 % (0.21) | 81 % (0) | 76 % (0) |
//! | 1 | 20 | 75 % (1.37) | 71 % (0.54) | 70 % (0.05) | 66 % (0) |
//! | 10 | 5 | 99 % (0.87) | 99 % (0.54) | 99 % (0.39) | 99 % (0) |
//! | 10 | 20 | 98 % (2.13) | 99 % (0.85) | 99 % (0) | 99 % (0) |
//!
//! When all outputs double, the calls in flight exceed the bound for as long as a call takes, since
//! nothing is known of them before they end. A second and faster estimate for rising outputs was
//! simulated, too. It changed that excess by a few percent, and is left out.
//!
//! # A float, here
//!
//! An estimate is no promise, so it may be rounded. What is reserved is an integer again, and the
//! buckets stay exact. A float also takes any number that a provider reports without overflow.

/// The number of standard errors that are added. See the table above.
const ERRORS: f64 = 2.0;

/// The weight of the error of the mean. A sample of a few calls of such a distribution has seldom
/// seen its largest ones, and so shows too small a deviation.
const DOUBT: f64 = 2.0;

/// The number of calls after which an old one counts for about a third: some minutes of a busy
/// program. Half and double of it differ by a point.
const WINDOW: f64 = 500.0;

/// A mean of values per unit of weight, over the latest calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Estimate {
    /// The number of calls, at most [`WINDOW`].
    known: f64,
    weight: f64,
    sum: f64,
    /// The sum of the squares of the values per unit, by weight.
    squares: f64,
    /// The largest value per unit. It falls towards the mean.
    largest: f64,
}

impl Estimate {
    /// Adds a call of this weight, which is above zero.
    pub(super) fn teach(&mut self, weight: f64, value: f64) {
        let each = value / weight;
        if self.known >= WINDOW {
            let kept = 1.0 - 1.0 / WINDOW;
            self.weight *= kept;
            self.sum *= kept;
            self.squares *= kept;
        } else {
            self.known += 1.0;
        }
        self.weight += weight;
        self.sum += weight * each;
        self.squares += weight * each * each;
        let faded = self.largest - (self.largest - self.mean()).max(0.0) / WINDOW;
        self.largest = faded.max(each);
    }

    /// Returns the number of calls that it knows, at most 500.
    pub(super) fn known(&self) -> u64 {
        self.known as u64
    }

    /// Returns the mean per unit; zero before the first call.
    pub(super) fn mean(&self) -> f64 {
        if self.weight > 0.0 { self.sum / self.weight } else { 0.0 }
    }

    /// Returns what to reserve per unit, if about so many calls fit into a burst.
    pub(super) fn reserve(&self, crowd: f64) -> f64 {
        if self.known == 0.0 {
            return 0.0;
        }
        let mean = self.mean();
        let variance = (self.squares / self.weight - mean * mean).max(0.0);
        let error = (variance * (1.0 / crowd.max(1.0) + DOUBT / self.known)).sqrt();
        (mean + ERRORS * error).min(self.largest).max(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::Estimate;

    fn of(values: impl IntoIterator<Item = (u64, u64)>) -> Estimate {
        let mut estimate = Estimate::default();
        for (weight, value) in values {
            estimate.teach(weight as f64, value as f64);
        }
        estimate
    }

    #[test]
    fn equal_calls_are_reserved_exactly() {
        let estimate = of((1..=2_000).map(|weight| (weight, 3 * weight)));
        assert_eq!(estimate.reserve(1.0), 3.0);
    }

    #[test]
    fn a_larger_crowd_reserves_less_for_each_and_never_less_than_the_mean() {
        let estimate = of((0..500).map(|call| (1, 100 + call % 2 * 200)));
        let reserved = [20.0, 100.0, 1_000.0, 1e9].map(|crowd| estimate.reserve(crowd));
        assert!(reserved.is_sorted_by(|more, less| more > less), "{reserved:?}");
        assert!(reserved[0] <= 300.0 && reserved[3] >= 200.0, "{reserved:?}");
    }

    #[test]
    fn few_calls_are_not_trusted() {
        let calls = |number: u64| of((0..number).map(|call| (1, 100 + call % 2 * 200))).reserve(1e9);
        assert!(calls(20) > 1.2 * calls(500), "{} and {}", calls(20), calls(500));
    }

    #[test]
    fn old_calls_fade() {
        let mut estimate = of((0..500).map(|_| (1, 1_000)));
        for _ in 0..5_000 {
            estimate.teach(1.0, 10.0);
        }
        assert!(estimate.reserve(1.0) < 20.0, "{estimate:?}");
    }

    #[test]
    fn any_number_gives_a_finite_one() {
        let estimate = of([(1, u64::MAX), (u64::MAX, 0), (u64::MAX, u64::MAX), (1, 0)]);
        assert!(estimate.reserve(0.0).is_finite() && estimate.reserve(f64::MAX).is_finite());
        assert_eq!(Estimate::default().reserve(1.0), 0.0);
    }
}
