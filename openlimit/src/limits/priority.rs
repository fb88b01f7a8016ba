//! `Priority`: how urgent a call is beside the others of its limiter.
//!
//! Three levels, and not a number: callers of one limiter that do not know each other would have to
//! agree on what a number means.

use std::fmt;

/// How urgent a call is. It decides which of the waiting calls is admitted next: see
/// [`Acquire::priority`](crate::Acquire::priority).
///
/// `High` compares as the largest.
///
/// ```
/// use openlimit::Priority;
///
/// assert!(Priority::High > Priority::default());
/// assert_eq!(Priority::default(), Priority::Normal);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Can wait: batches, indexing, evaluations.
    Low,
    /// Everything that names no priority.
    #[default]
    Normal,
    /// Somebody is waiting for the answer.
    High,
}

impl Priority {
    /// The number of priorities.
    pub(crate) const COUNT: usize = 3;

    /// Returns its place among all priorities, the highest one first.
    pub(crate) fn place(self) -> usize {
        match self {
            Self::High => 0,
            Self::Normal => 1,
            Self::Low => 2,
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        })
    }
}
