//! `Holds`: when the holds of buckets in memory end, and how often calls were moved back, by holds
//! and by anything else.
//!
//! Both are rare. So it is one pointer, and leaves the cache line of the lock to what every call
//! reads.

/// The ends of holds. Zero stands for none, and each may be over.
#[derive(Debug, Default)]
pub(super) struct Holds(Option<Box<Ends>>);

#[derive(Debug)]
struct Ends {
    /// Of the hold of all calls.
    all: u64,
    /// Of the holds of single limits.
    limits: Box<[u64]>,
    setbacks: u64,
}

impl Holds {
    /// Returns the end of the hold of all calls.
    pub(super) fn all(&self) -> u64 {
        self.0.as_ref().map_or(0, |ends| ends.all)
    }

    /// Returns the end of the hold of one limit.
    pub(super) fn limit(&self, place: usize) -> u64 {
        self.0.as_ref().map_or(0, |ends| ends.limits[place])
    }

    /// Returns the end of the hold of all calls, to change it. `limits` is the number of limits.
    pub(super) fn all_mut(&mut self, limits: usize) -> &mut u64 {
        &mut self.ends(limits).all
    }

    /// Returns the end of the hold of one of so many limits, to change it.
    pub(super) fn limit_mut(&mut self, place: usize, limits: usize) -> &mut u64 {
        &mut self.ends(limits).limits[place]
    }

    /// Returns the latest end of the holds of single limits.
    pub(super) fn latest_limit(&self) -> u64 {
        self.0.as_ref().and_then(|ends| ends.limits.iter().max().copied()).unwrap_or(0)
    }

    /// Ends the hold of all calls.
    pub(super) fn end_all(&mut self) {
        if let Some(ends) = &mut self.0 {
            ends.all = 0;
        }
    }

    /// Ends the holds of single limits.
    pub(super) fn end_limits(&mut self) {
        if let Some(ends) = &mut self.0 {
            ends.limits.fill(0);
        }
    }

    /// Returns how often waiting calls were moved back.
    pub(super) fn setbacks(&self) -> u64 {
        self.0.as_ref().map_or(0, |ends| ends.setbacks)
    }

    /// Notes that waiting calls may have been moved back.
    pub(super) fn set_back(&mut self, limits: usize) {
        self.ends(limits);
    }

    /// Returns all ends, to change them, which counts as a setback.
    fn ends(&mut self, limits: usize) -> &mut Ends {
        let none = || Box::new(Ends { all: 0, limits: vec![0; limits].into(), setbacks: 0 });
        let ends = self.0.get_or_insert_with(none);
        ends.setbacks += 1;
        ends
    }
}
