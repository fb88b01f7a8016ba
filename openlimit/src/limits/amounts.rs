//! `Amounts`: a `Cost` as one limiter sees it.
//!
//! A `Cost` names its dimensions, and comparing names is slow. So a limiter turns it once into a
//! list with one amount for each dimension that it meters. Everything behind that refers to a
//! dimension by its place in the list.

/// Amounts in the order of the limiter's dimensions.
///
/// Up to three of them need no allocation. Nearly every limiter has at most three dimensions.
#[derive(Clone, Debug)]
pub(crate) enum Amounts {
    Few([u64; Self::FEW]),
    Many(Box<[u64]>),
}

impl Amounts {
    /// How many amounts fit without an allocation. More would make every permit and waiter larger.
    pub(crate) const FEW: usize = 3;

    /// Creates amounts of zero for this number of dimensions.
    #[inline]
    pub(crate) fn zero(dimensions: usize) -> Self {
        if dimensions <= Self::FEW {
            Self::Few([0; Self::FEW])
        } else {
            Self::Many(vec![0; dimensions].into())
        }
    }

    /// Returns the amounts and leaves zeros.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Few([0; Self::FEW]))
    }

    /// Changes each amount by the other one at its place.
    pub(crate) fn change(&mut self, others: &Self, change: impl Fn(u64, u64) -> u64) {
        for (amount, other) in self.as_mut_slice().iter_mut().zip(others.as_slice()) {
            *amount = change(*amount, *other);
        }
    }

    /// Repeats the first amounts, so many of them, behind themselves.
    pub(crate) fn repeat(&mut self, first: usize) {
        let (first, second) = self.as_mut_slice().split_at_mut(first);
        second.iter_mut().zip(first).for_each(|(second, first)| *second = *first);
    }

    /// Returns whether every amount is zero.
    pub(crate) fn is_zero(&self) -> bool {
        self.as_slice().iter().all(|amount| *amount == 0)
    }

    /// Returns the amounts: at least one per dimension, then zeros.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u64] {
        match self {
            Self::Few(few) => few,
            Self::Many(many) => many,
        }
    }

    /// Returns the amounts for writing. Places beyond the dimensions must stay zero.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u64] {
        match self {
            Self::Few(few) => few,
            Self::Many(many) => many,
        }
    }
}
