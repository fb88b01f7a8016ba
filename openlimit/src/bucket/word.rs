//! `Word`: the integers that a level is kept in, and their saturating operations.
//!
//! A trait with two implementations, because 64 bits are five times as fast and nearly always
//! enough. All operations saturate: a level that is too high to count stays at the largest value
//! and never wraps around to a low one.

use std::fmt::Debug;

/// An unsigned integer of 64 or 128 bits.
pub(crate) trait Word: Copy + Ord + Default + Debug + Into<u128> + 'static {
    /// The largest value.
    const MAX: Self;

    /// Returns a wide number, at most `MAX`.
    fn narrowed(wide: u128) -> Self;

    /// Returns `self * by`, at most `MAX`.
    fn times(self, by: u64) -> Self;

    /// Returns `self + by`, at most `MAX`.
    fn plus(self, by: Self) -> Self;

    /// Returns `self - by`, at least zero.
    fn minus(self, by: Self) -> Self;

    /// Returns `self / by`, rounded up, at most the largest `u64`.
    fn over(self, by: Self) -> u64;

    /// Returns `self * part / of`, rounded up, where `part` is at most `of`.
    fn part(self, part: Self, of: Self) -> Self {
        let (wide, part, of): (u128, u128, u128) = (self.into(), part.into(), of.into());
        let (whole, rest) = (wide / of, wide % of);
        Self::narrowed(whole.saturating_mul(part).saturating_add(rest.saturating_mul(part).div_ceil(of)))
    }
}

impl Word for u64 {
    const MAX: Self = Self::MAX;

    fn narrowed(wide: u128) -> Self {
        Self::try_from(wide).unwrap_or(Self::MAX)
    }

    #[inline]
    fn times(self, by: u64) -> Self {
        self.saturating_mul(by)
    }

    #[inline]
    fn plus(self, by: Self) -> Self {
        self.saturating_add(by)
    }

    #[inline]
    fn minus(self, by: Self) -> Self {
        self.saturating_sub(by)
    }

    #[inline]
    fn over(self, by: Self) -> u64 {
        self.div_ceil(by)
    }
}

impl Word for u128 {
    const MAX: Self = Self::MAX;

    fn narrowed(wide: u128) -> Self {
        wide
    }

    #[inline]
    fn times(self, by: u64) -> Self {
        self.saturating_mul(by.into())
    }

    #[inline]
    fn plus(self, by: Self) -> Self {
        self.saturating_add(by)
    }

    #[inline]
    fn minus(self, by: Self) -> Self {
        self.saturating_sub(by)
    }

    /// Divides in 64 bits if both numbers fit: dividing wide ones takes ten times as long.
    fn over(self, by: Self) -> u64 {
        match (u64::try_from(self), u64::try_from(by)) {
            (Ok(narrow), Ok(by)) => narrow.div_ceil(by),
            _ => u64::try_from(self.div_ceil(by)).unwrap_or(u64::MAX),
        }
    }
}

/// Returns the value; the largest that fits if it is larger.
pub(super) fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}
