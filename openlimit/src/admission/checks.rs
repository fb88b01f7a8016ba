//! `Checks`: when the waiting calls were last compared with their deadlines, and when they are to
//! be compared again.

/// As many waiters are checked without a rest.
const SHORT_WALK: usize = 64;

/// The time to rest after a longer walk, in nanoseconds for each waiter that was checked: a hundred
/// times as long as the walk takes.
const REST: u64 = 2_500;

/// What is known of the deadlines of waiters.
#[derive(Debug)]
pub(super) struct Checks {
    /// How often the queue had moved back at the last check.
    setbacks: u64,
    /// The time before which no check is made.
    not_before: u64,
    /// When the next check is due; the largest value if none is.
    due: u64,
}

impl Checks {
    /// No check, and none to make.
    pub(super) const NONE: Self = Self { setbacks: 0, not_before: 0, due: u64::MAX };

    /// Returns when the next check is due; the largest value if none is.
    pub(super) fn due(&self) -> u64 {
        self.due
    }

    /// Notes that there is nothing to check.
    pub(super) fn rest(&mut self) {
        self.due = u64::MAX;
    }

    /// Notes that there is nothing to check of what has moved the queue back so far.
    pub(super) fn skip(&mut self, setbacks: u64) {
        self.setbacks = setbacks;
    }

    /// Returns true if the queue has moved back so often by now, which was not checked yet, and it
    /// is time to.
    pub(super) fn is_due(&mut self, setbacks: u64, now: u64) -> bool {
        let is_new = setbacks > self.setbacks;
        self.due = if is_new { self.not_before } else { u64::MAX };
        is_new && now >= self.not_before
    }

    /// Notes a check of so many waiters.
    pub(super) fn made(&mut self, setbacks: u64, checked: usize, now: u64) {
        let rest = checked.saturating_sub(SHORT_WALK) as u64 * REST;
        *self = Self { setbacks, not_before: now.saturating_add(rest), due: u64::MAX };
    }
}
