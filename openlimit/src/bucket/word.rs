//! `Word`: the integers that a level is kept in, and the few saturating operations on them.

use std::fmt::Debug;

pub(crate) trait Word: Copy + Ord + Default + Debug + Into<u128> + 'static {
    const MAX: Self;

    /// `self * by`, at most `MAX`.
    fn times(self, by: u64) -> Self;

    /// `self + by`, at most `MAX`.
    fn plus(self, by: Self) -> Self;

    /// `self - by`, at least zero.
    fn minus(self, by: Self) -> Self;

    /// `self / by`, rounded up, at most the largest value.
    fn over(self, by: Self) -> u64;
}

impl Word for u64 {
    const MAX: Self = Self::MAX;

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
    /// Division of wide numbers takes ten times as long.
    fn over(self, by: Self) -> u64 {
        match (u64::try_from(self), u64::try_from(by)) {
            (Ok(narrow), Ok(by)) => narrow.div_ceil(by),
            _ => u64::try_from(self.div_ceil(by)).unwrap_or(u64::MAX),
        }
    }
}
