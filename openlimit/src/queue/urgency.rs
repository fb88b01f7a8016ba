//! `Urgency`: the priority of a call, and how long it may wait.
//!
//! Every pending call carries it, before and while it waits. So it is packed into eight bytes, and
//! passed in a register: two bits for the priority, one for the kind of the end, and the rest for
//! its time.

use crate::limits::Priority;

/// The priority of a call, and when its wait ends at the latest.
///
/// The end is a timeout, which begins when the call arrives, or a time of the limiter's clock. Both
/// are in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Urgency(u64);

/// The number of bits for the time: 2^61 ns are 73 years.
const TIME_BITS: u32 = 61;
/// The largest time, which stands for no end.
const NEVER: u64 = (1 << TIME_BITS) - 1;
/// Set if the time is one of the limiter's clock.
const IS_DEADLINE: u64 = 1 << TIME_BITS;
/// The place of the priority.
const PRIORITY: u32 = TIME_BITS + 1;

impl Default for Urgency {
    /// Returns a normal priority without an end.
    fn default() -> Self {
        Self(NEVER).of(Priority::default())
    }
}

impl Urgency {
    /// Sets the priority.
    pub(crate) fn of(self, priority: Priority) -> Self {
        let bits = (priority as u64) << PRIORITY;
        Self(self.0 & !(u64::MAX << PRIORITY) | bits)
    }

    /// Sets the longest wait. Replaces any other end. 73 years or more stand for no end.
    pub(crate) fn within(self, timeout: u64) -> Self {
        Self(self.0 & (u64::MAX << PRIORITY) | timeout.min(NEVER))
    }

    /// Sets the end of the wait, a time of the limiter's clock. Replaces any other end.
    pub(crate) fn until(self, deadline: u64) -> Self {
        let urgency = self.within(deadline);
        if deadline < NEVER { Self(urgency.0 | IS_DEADLINE) } else { urgency }
    }

    /// Returns the urgency of a call that arrives now, which has no end but a timeout.
    pub(crate) fn at(self, now: u64) -> Self {
        if self.0 & IS_DEADLINE == 0 { self } else { self.within((self.0 & NEVER).saturating_sub(now)) }
    }

    /// Returns the urgency of a call that has [arrived](Self::at) at `now`, with its end as a time
    /// of the limiter's clock.
    pub(crate) fn since(self, now: u64) -> Self {
        match self.timeout() {
            u64::MAX => self,
            timeout => self.until(now.saturating_add(timeout)),
        }
    }

    /// Returns the priority.
    pub(crate) fn priority(self) -> Priority {
        match self.0 >> PRIORITY {
            0 => Priority::Low,
            1 => Priority::Normal,
            _ => Priority::High,
        }
    }

    /// Returns the longest wait of a call that has [arrived](Self::at); the largest value for no
    /// end.
    pub(crate) fn timeout(self) -> u64 {
        match self.0 & NEVER {
            NEVER => u64::MAX,
            time => time,
        }
    }
}
