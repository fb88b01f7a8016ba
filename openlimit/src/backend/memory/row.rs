//! `Row`: the meters of a limiter, of which two are part of the limiter itself.
//!
//! Most limits are on requests and tokens, so most limiters have two meters. With these in its own
//! memory, such a limiter is one allocation: a call of one of many keys finds all of it on a few
//! cache lines in a row. And a call of two limits runs through code for just two.

use std::ops::{Deref, DerefMut};

use crate::bucket::Bucket;

/// The meters of a limiter.
#[derive(Debug)]
pub(super) enum Row {
    Two([Meter; 2]),
    Any(Box<[Meter]>),
}

/// A bucket, and the dimension that it meters.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Meter {
    pub(super) dimension: u32,
    /// The part of the limit that the bucket is for, in percent.
    pub(super) share: u8,
    pub(super) bucket: Bucket,
}

impl Meter {
    #[inline(always)]
    pub(super) fn dimension(&self) -> usize {
        self.dimension as usize
    }
}

impl Row {
    /// Takes the amounts of a call from all meters, or from none. Returns whether it did.
    #[inline(always)]
    pub(super) fn take(&mut self, amounts: &[u64], charge: u64, now: u64) -> bool {
        match self {
            Self::Two(meters) => take(meters, amounts, charge, now),
            Self::Any(meters) => take(meters, amounts, charge, now),
        }
    }
}

#[inline(always)]
fn take(meters: &mut [Meter], amounts: &[u64], charge: u64, now: u64) -> bool {
    let [others @ .., last] = meters else { return true };
    // Nothing is written before it is known that all limits have room.
    let fits = |meter: &Meter| meter.bucket.fits(amounts[meter.dimension()], now);
    let takes = others.iter().all(fits) && last.bucket.try_take(amounts[last.dimension()], charge, now);
    if takes {
        for meter in others {
            meter.bucket.take(amounts[meter.dimension()], charge, now);
        }
    }
    takes
}

impl Default for Row {
    fn default() -> Self {
        Self::Any(Box::default())
    }
}

impl FromIterator<Meter> for Row {
    fn from_iter<I: IntoIterator<Item = Meter>>(meters: I) -> Self {
        let meters: Vec<_> = meters.into_iter().collect();
        <[Meter; 2]>::try_from(meters).map_or_else(|meters| Self::Any(meters.into()), Self::Two)
    }
}

impl Deref for Row {
    type Target = [Meter];

    #[inline]
    fn deref(&self) -> &[Meter] {
        match self {
            Self::Two(meters) => meters,
            Self::Any(meters) => meters,
        }
    }
}

impl DerefMut for Row {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Meter] {
        match self {
            Self::Two(meters) => meters,
            Self::Any(meters) => meters,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Meter;

    #[test]
    fn a_meter_without_refunds_has_64_bytes() {
        assert!(size_of::<Meter>() <= 64, "{} bytes", size_of::<Meter>());
    }
}
