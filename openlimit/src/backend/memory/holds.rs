//! `Holds`: when the holds of buckets in memory end.
//!
//! Holds are rare. So it is one pointer, and leaves the cache line of the lock to what every call
//! reads.

/// The ends of holds. Zero stands for none, and each may be over.
#[derive(Debug, Default)]
pub(super) struct Holds(Option<Box<Ends>>);

#[derive(Debug)]
struct Ends {
    /// Of the last hold of any kind.
    last: u64,
    /// Of the hold of all calls.
    all: u64,
    /// Of the holds of single limits.
    limits: Box<[u64]>,
}

impl Holds {
    /// Returns when the last hold of any kind ends; the largest value while a quota is used up, and
    /// once the limiter is closed.
    #[inline]
    pub(super) fn last(&self) -> u64 {
        self.0.as_ref().map_or(0, |ends| ends.last)
    }

    /// Returns the end of the hold of all calls.
    pub(super) fn all(&self) -> u64 {
        self.0.as_ref().map_or(0, |ends| ends.all)
    }

    /// Returns the end of the hold of one limit.
    pub(super) fn limit(&self, place: usize) -> u64 {
        self.0.as_ref().map_or(0, |ends| ends.limits[place])
    }

    /// Moves the end of the last hold to `until`, if that is later. `limits` is the number of
    /// limits.
    pub(super) fn prolong(&mut self, until: u64, limits: usize) {
        let last = &mut self.ends(limits).last;
        *last = until.max(*last);
    }

    /// Returns the end of the hold of all calls, to change it.
    pub(super) fn all_mut(&mut self, limits: usize) -> &mut u64 {
        &mut self.ends(limits).all
    }

    /// Returns the end of the hold of one of so many limits, to change it.
    pub(super) fn limit_mut(&mut self, place: usize, limits: usize) -> &mut u64 {
        &mut self.ends(limits).limits[place]
    }

    /// Returns the latest end of the holds of single limits.
    fn latest_limit(&self) -> u64 {
        self.0.as_ref().and_then(|ends| ends.limits.iter().max().copied()).unwrap_or(0)
    }

    /// Ends the hold of all calls. Holds of single limits stay.
    pub(super) fn end_all(&mut self) {
        let last = self.latest_limit();
        if let Some(ends) = &mut self.0 {
            (ends.last, ends.all) = (last, 0);
        }
    }

    /// Ends the holds of single limits.
    pub(super) fn end_limits(&mut self) {
        if let Some(ends) = &mut self.0 {
            ends.limits.fill(0);
        }
    }

    fn ends(&mut self, limits: usize) -> &mut Ends {
        self.0.get_or_insert_with(|| Box::new(Ends { last: 0, all: 0, limits: vec![0; limits].into() }))
    }
}
