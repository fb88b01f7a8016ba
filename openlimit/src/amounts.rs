//! `Amounts`: a `Cost` as one limiter sees it, an amount for each dimension that the limiter meters.

/// Amounts in the order of the limiter's dimensions. Up to three, as nearly every limiter has, take no
/// allocation.
#[derive(Clone, Debug)]
pub(crate) enum Amounts {
    Few([u64; 3]),
    Many(Box<[u64]>),
}

impl Amounts {
    /// `count` amounts, each from its index.
    pub(crate) fn from_fn(count: usize, amount: impl FnMut(usize) -> u64) -> Self {
        if count <= 3 {
            let mut few = [0; 3];
            few.iter_mut().zip((0..count).map(amount)).for_each(|(slot, amount)| *slot = amount);
            Self::Few(few)
        } else {
            Self::Many((0..count).map(amount).collect())
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.as_slice().iter().all(|amount| *amount == 0)
    }

    /// At least as many as were given; the rest is zero.
    pub(crate) fn as_slice(&self) -> &[u64] {
        match self {
            Self::Few(few) => few,
            Self::Many(many) => many,
        }
    }
}
