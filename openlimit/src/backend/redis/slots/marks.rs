//! `Marks`: what was granted to all clients before each call of this one.
//!
//! A response says how much was left when its call was counted. What was granted since is missing
//! from that, to this client and to others. The server counts it, and this remembers the count just
//! after each grant.
//!
//! They are kept from the first response on. Until then they would be of no use.

use std::collections::VecDeque;

/// The most calls that are remembered. What was granted since an earlier one is not known.
const MOST_CALLS: usize = 4_096;

/// The counts of the server, by charge.
#[derive(Debug, Default)]
pub(super) struct Marks(VecDeque<(u64, Box<[u64]>)>);

impl Marks {
    /// Notes the sum of all granted weights just after a charge, in each bucket. Charges come in
    /// order.
    pub(super) fn note(&mut self, charge: u64, sums: Box<[u64]>) {
        if self.0.len() == MOST_CALLS {
            self.0.pop_front();
        }
        self.0.push_back((charge, sums));
    }

    /// Forgets all calls, because the server counts anew.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the sum just after a charge in one bucket, if it is known.
    pub(super) fn at(&self, charge: u64, bucket: usize) -> Option<u64> {
        let place = self.0.binary_search_by_key(&charge, |(of, _)| *of).ok()?;
        Some(self.0[place].1[bucket])
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_CALLS, Marks};

    #[test]
    fn the_latest_calls_are_remembered() {
        let mut marks = Marks::default();
        for charge in 1..=2 * MOST_CALLS as u64 {
            marks.note(2 * charge, [charge].into());
        }
        let last = 2 * MOST_CALLS as u64;
        assert_eq!(marks.at(2 * last, 0), Some(last));
        assert_eq!(marks.at(2 * last - 1, 0), None);
        assert_eq!(marks.at(2, 0), None);
        assert_eq!(marks.0.len(), MOST_CALLS);
        marks.clear();
        assert_eq!(marks.at(2 * last, 0), None);
    }
}
