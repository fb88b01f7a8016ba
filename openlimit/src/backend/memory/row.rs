//! `Row`: the meters of a limiter, of which one or two are part of the limiter itself.
//!
//! Most limiters limit tokens, or requests and tokens, so they have one meter or two. With these in
//! its own memory, such a limiter is one allocation: a call of one of many keys finds all of it on
//! a few cache lines in a row. And a call of two limits runs through code for just two.

use std::ops::{Deref, DerefMut};

use crate::bucket::{Bucket, Step};

/// The meters of a limiter.
#[derive(Debug)]
pub(super) enum Row {
    One([Meter; 1]),
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

    /// Returns what the call would do to the bucket; `None` if there is no room for it.
    #[inline(always)]
    pub(super) fn step(&self, amounts: &[u64], now: u64) -> Option<Step<u64>> {
        self.bucket.step(amounts[self.dimension()], now)
    }

    /// Takes the call's amount, whose step is known.
    #[inline(always)]
    fn take(&mut self, amounts: &[u64], step: Step<u64>, charge: u64, now: u64) {
        self.bucket.take(amounts[self.dimension()], step, charge, now);
    }
}

impl Row {
    /// Takes the amounts of a call from all meters, or from none. Returns whether it did.
    #[inline(always)]
    pub(super) fn take(&mut self, amounts: &[u64], charge: u64, now: u64) -> bool {
        // Nothing is written before it is known that all limits have room.
        match self {
            Self::One([meter]) => {
                let Some(step) = meter.step(amounts, now) else { return false };
                meter.take(amounts, step, charge, now);
            }
            Self::Two([first, second]) => {
                let Some(step) = first.step(amounts, now) else { return false };
                let Some(other) = second.step(amounts, now) else { return false };
                first.take(amounts, step, charge, now);
                second.take(amounts, other, charge, now);
            }
            Self::Any(meters) => {
                if !meters.iter().all(|meter| meter.step(amounts, now).is_some()) {
                    return false;
                }
                for meter in meters {
                    meter.bucket.charge(amounts[meter.dimension()], charge, now);
                }
            }
        }
        true
    }
}

impl Default for Row {
    fn default() -> Self {
        Self::Any(Box::default())
    }
}

impl FromIterator<Meter> for Row {
    fn from_iter<I: IntoIterator<Item = Meter>>(meters: I) -> Self {
        let meters: Vec<_> = meters.into_iter().collect();
        let any = |meters: Vec<_>| Self::Any(meters.into());
        let two = |meters: Vec<_>| meters.try_into().map_or_else(any, Self::Two);
        meters.try_into().map_or_else(two, Self::One)
    }
}

impl Deref for Row {
    type Target = [Meter];

    #[inline]
    fn deref(&self) -> &[Meter] {
        match self {
            Self::One(meters) => meters,
            Self::Two(meters) => meters,
            Self::Any(meters) => meters,
        }
    }
}

impl DerefMut for Row {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Meter] {
        match self {
            Self::One(meters) => meters,
            Self::Two(meters) => meters,
            Self::Any(meters) => meters,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Meter, Row};
    use crate::bucket::{Bucket, Metering};
    use crate::limits::Rate;
    use crate::time::Dates;

    #[test]
    fn a_meter_without_refunds_has_64_bytes() {
        assert!(size_of::<Meter>() <= 64, "{} bytes", size_of::<Meter>());
    }

    #[test]
    fn a_row_has_its_meters_in_their_order_and_boxes_them_unless_they_are_one_or_two() {
        let second = Duration::from_secs(1);
        let metering = Metering::new(Rate::per_second(10), second, Duration::ZERO, (0, 100));
        let meter = |dimension| {
            let bucket = Bucket::new(&metering, &Dates::From(0));
            Meter { dimension, share: 100, bucket }
        };
        for number in 0..5 {
            let mut row: Row = (0..number).map(meter).collect();
            assert!(row.iter().map(|meter| meter.dimension).eq(0..number));
            assert_eq!(matches!(row, Row::Any(_)), !(1..3).contains(&number));
            // All or nothing: the last limit has room for 10.
            let mut amounts = vec![1; number as usize];
            amounts.iter_mut().last().into_iter().for_each(|last| *last = 7);
            assert!(row.take(&amounts, 1, 0));
            assert_eq!(row.take(&amounts, 2, 0), number == 0);
            amounts.fill(3);
            assert!(row.take(&amounts, 2, 0));
            amounts.fill(6);
            assert_eq!(row.take(&amounts, 3, 0), number == 0);
        }
    }
}
