//! `Amounts`: a `Cost` as one limiter sees it, an amount for each dimension that the limiter meters.

/// Amounts in the order of the limiter's dimensions. Up to three, as nearly every limiter has, take no
/// allocation.
#[derive(Clone, Debug)]
pub(crate) enum Amounts {
    Few([u64; Self::FEW]),
    Many(Box<[u64]>),
}

impl Amounts {
    pub(crate) const FEW: usize = 3;

    /// Nothing of each of so many dimensions.
    #[inline]
    pub(crate) fn zero(dimensions: usize) -> Self {
        if dimensions <= Self::FEW {
            Self::Few([0; Self::FEW])
        } else {
            Self::Many(vec![0; dimensions].into())
        }
    }

    /// Returns the amounts and leaves nothing.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Few([0; Self::FEW]))
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.as_slice().iter().all(|amount| *amount == 0)
    }

    /// At least as many as there are dimensions; what is beyond them is zero.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u64] {
        match self {
            Self::Few(few) => few,
            Self::Many(many) => many,
        }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u64] {
        match self {
            Self::Few(few) => few,
            Self::Many(many) => many,
        }
    }
}
