//! Checks that the grants stayed within the bound in every window, exactly.
//!
//! The bound of a limit: any window of length `w` contains at most `rate * w + max(burst, the
//! largest call in it)`. It is enough to check windows that begin with one grant and end with
//! another. One pass finds the worst one. For each end, a stack holds groups of beginnings with the
//! same largest call up to here, largest first, and the best beginning of each group. A new grant
//! merges the groups whose largest call it exceeds, so each grant is pushed and popped once.
//!
//! The rate is the declared one, without headroom and jitter: the provider enforces that one. All
//! sums are integers, as in the model.

use std::time::Duration;

use crate::model::Limit;

/// A call that was admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The time, in nanoseconds of any clock, the same one for all.
    pub at: u64,
    /// The amounts, by dimension.
    pub amounts: Vec<u64>,
}

impl Grant {
    /// Creates a grant at a time in microseconds, the unit of Redis.
    #[must_use]
    pub fn at_us(micros: u64, amounts: impl Into<Vec<u64>>) -> Self {
        Self { at: micros * 1_000, amounts: amounts.into() }
    }
}

/// The window that is closest to the bound of a limit, or exceeds it most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worst {
    /// The index of the limit.
    pub limit: usize,
    /// The first and the last moment of the window, in nanoseconds. It contains both.
    pub window: (u64, u64),
    /// The amount that was granted in it.
    pub granted: u64,
    /// The largest call in it.
    pub largest: u64,
    /// The amount that was granted beyond the bound, rounded up. If it is zero or less, the bound
    /// holds.
    pub excess: i64,
}

/// Creates a limit on the amounts at index `dimension`, for these checks.
#[must_use]
pub fn limit(dimension: usize, amount: u64, period: Duration, burst: Duration) -> Limit {
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Limit { dimension, amount, period: nanos(period), burst: nanos(burst), jitter: 0, headroom: 0 }
}

/// Returns the worst window of each limit, in the order of the limits. A limit without grants has
/// none.
#[must_use]
pub fn worst(limits: &[Limit], grants: &[Grant]) -> Vec<Worst> {
    let mut grants: Vec<&Grant> = grants.iter().collect();
    grants.sort_by_key(|grant| grant.at);
    limits.iter().enumerate().filter_map(|(index, limit)| worst_of(index, limit, &grants)).collect()
}

/// Asserts that no window exceeded a limit. Returns the worst windows.
///
/// # Panics
/// If a window did. The message contains the worst one.
#[track_caller]
pub fn assert_within(limits: &[Limit], grants: &[Grant]) -> Vec<Worst> {
    assert_within_by(limits, grants, 0)
}

/// Asserts the same with `spare` units of tolerance, for faults after which the design allows them.
///
/// # Panics
/// If a window exceeded a limit by more than `spare`.
#[track_caller]
pub fn assert_within_by(limits: &[Limit], grants: &[Grant], spare: i64) -> Vec<Worst> {
    let worst = worst(limits, grants);
    for window in &worst {
        let limit = &limits[window.limit];
        assert!(window.excess <= spare, "{limit:?} is exceeded by more than {spare}: {window:?}");
    }
    worst
}

/// Beginnings with the same largest call up to the current grant.
struct Group {
    largest: u64,
    /// The best beginning: its index, and the amount that was granted before it, minus the amount
    /// that leaked before it.
    begin: (usize, i128),
    /// The best beginning of this group and those below it in the stack, and what it adds to the
    /// excess.
    best: (usize, i128),
}

fn worst_of(index: usize, limit: &Limit, grants: &[&Grant]) -> Option<Worst> {
    let origin = grants.first()?.at;
    let burst = limit.worth(limit.burst);
    let mut stack: Vec<Group> = Vec::new();
    let mut granted: i128 = 0;
    let mut worst: Option<((usize, usize), i128)> = None;
    for (here, grant) in grants.iter().enumerate() {
        let amount = grant.amounts[limit.dimension];
        if amount == 0 {
            continue;
        }
        let leaked = limit.worth(grant.at - origin);
        let mut begin = (here, granted - leaked);
        while let Some(group) = stack.pop_if(|group| group.largest <= amount) {
            if group.begin.1 < begin.1 {
                begin = group.begin;
            }
        }
        let own = (begin.0, -begin.1 - burst.max(limit.weight(amount)));
        let best = stack.last().map_or(own, |below| if below.best.1 > own.1 { below.best } else { own });
        stack.push(Group { largest: amount, begin, best });
        granted += limit.weight(amount);
        let excess = granted - leaked + best.1;
        if worst.is_none_or(|(_, most)| excess > most) {
            worst = Some(((best.0, here), excess));
        }
    }
    let ((first, last), excess) = worst?;
    let inside = || grants[first..=last].iter().map(|grant| grant.amounts[limit.dimension]);
    let unit = limit.weight(1);
    let units = excess.div_euclid(unit) + i128::from(excess.rem_euclid(unit) > 0);
    Some(Worst {
        limit: index,
        window: (grants[first].at, grants[last].at),
        granted: inside().sum(),
        largest: inside().max().unwrap_or(0),
        excess: i64::try_from(units).unwrap_or(i64::MAX),
    })
}
