//! `Returned`: what settled calls gave back of what they had reserved, and what of that was lost.
//!
//! A bucket leaks while a call is in flight. What has leaked of its reservation cannot be given
//! back. Nobody used that part of the limit, so it is counted.

use std::fmt;

use super::Admission;
use crate::backend::Buckets as _;
use crate::limits::Amounts;

/// What settled and cancelled calls gave back of one limit, since the limiter was built. Part of a
/// [`LimitStatus`](crate::LimitStatus).
///
/// Amounts are in units of the limit's dimension. `Display` shows them in percent.
///
/// ```
/// use openlimit::{Rate, RateLimiter};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = RateLimiter::builder().tokens(Rate::per_day(1_000)).build()?;
/// limiter.try_acquire(500)?.settle(100);
/// let returned = limiter.status()?.limits[0].returned;
/// assert_eq!((returned.reserved, returned.unused, returned.late), (500, 400, 0));
/// assert_eq!(returned.to_string(), "settled calls gave back 80 % of what they reserved");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Returned {
    /// The amount that they had reserved.
    pub reserved: u64,
    /// The part of `reserved` that they did not use.
    pub unused: u64,
    /// The part of `unused` that could not be given back because it had leaked by then, each call
    /// rounded down. If the limits are shared through Redis, it is as of the last reply.
    pub late: u64,
}

impl Returned {
    /// Returns true if so much came too late that it is worth a remark: more than a twentieth of
    /// what was reserved. Less than that is lost in a well-used limit, too.
    pub(crate) fn is_wasteful(&self) -> bool {
        self.late > self.reserved / 20
    }
}

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part: u64, of: u64| u128::from(part) * 100 / u128::from(of.max(1));
        let back = percent(self.unused, self.reserved);
        write!(f, "settled calls gave back {back} % of what they reserved")?;
        match percent(self.late, self.unused) {
            _ if self.late == 0 => Ok(()),
            late => write!(f, ", of which {late} % came too late"),
        }
    }
}

fn add(sum: &mut u64, amount: u64) {
    *sum = sum.saturating_add(amount);
}

impl Admission {
    /// Counts what the call of a charge reserved, which is being settled. `dimensions` has the
    /// place of each limit's dimension.
    pub(crate) fn count_reserved(&mut self, dimensions: &[usize], reserved: &Amounts, charge: u64) {
        if self.is_forgotten(charge) {
            return;
        }
        self.begin_returned(dimensions.len());
        for (returned, dimension) in self.returned.iter_mut().zip(dimensions) {
            add(&mut returned.reserved, reserved.as_slice()[*dimension]);
        }
    }

    /// Gives back what a charge did not use, and counts it.
    pub(crate) fn give_back(&mut self, dimensions: &[usize], unused: &Amounts, charge: u64, now: u64) {
        if unused.is_zero() || self.is_forgotten(charge) {
            return;
        }
        self.begin_returned(dimensions.len());
        let returned = &mut self.returned;
        for (returned, dimension) in returned.iter_mut().zip(dimensions) {
            add(&mut returned.unused, unused.as_slice()[*dimension]);
        }
        let late = |place: usize, leaked| add(&mut returned[place].late, leaked);
        self.backend.refund(unused, charge, now, late);
    }

    /// Returns true if a reset has forgotten a charge: nothing of it can be given back, which is
    /// not for coming late.
    fn is_forgotten(&self, charge: u64) -> bool {
        charge < self.seldom.get().first
    }

    /// Begins to count, unless it has begun already.
    fn begin_returned(&mut self, limits: usize) {
        if self.returned.is_empty() {
            self.returned = vec![Returned::default(); limits].into();
        }
    }

    /// Returns what settled calls gave back of one limit.
    pub(crate) fn returned(&self, place: usize) -> Returned {
        let known = self.returned.get(place).copied().unwrap_or_default();
        // A store also counts what calls gave back that left the queue when they were admitted.
        let late = known.late.saturating_add(self.backend.late(place));
        Returned { late: late.min(known.unused), ..known }
    }
}
