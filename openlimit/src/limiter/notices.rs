//! `Notices`: decides what is worth reporting, and keeps what `status` shows of it.
//!
//! A hostile or broken provider can send a refusal with every response, or another limit. So events
//! of one kind come seldom. The first one comes at once. No change is lost: it is reported with a
//! later response, if it still holds.

/// The time during which no second event of a kind is reported, in nanoseconds: 10 s. A person
/// reads them, or a dashboard that is updated about as often.
const SELDOM: u64 = 10_000_000_000;

/// The events of one limiter.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// The limits that were reported, by the place of each.
    limits: Vec<Announced>,
    /// From when on refusals are reported again, and how many were not.
    refusals: (u64, u64),
    /// From when on holds are reported again, and the length of the last that was.
    hold: (u64, u64),
    /// The number of refusals that the declared limits do not explain.
    unexplained: u64,
}

/// The amount of a limit that was reported last.
#[derive(Clone, Copy, Debug, Default)]
struct Announced {
    /// `None` for the declared one.
    allows: Option<u64>,
    /// From when on a change is reported again.
    again: u64,
}

impl Notices {
    /// Returns true if the amount that the provider allows of a limit has to be reported.
    pub(super) fn limit(&mut self, place: usize, allows: u64, declared: u64, now: u64) -> bool {
        if self.limits.len() <= place {
            self.limits.resize(place + 1, Announced::default());
        }
        let last = &mut self.limits[place];
        let is_due = last.allows.unwrap_or(declared) != allows && now >= last.again;
        if is_due {
            *last = Announced { allows: Some(allows), again: now.saturating_add(SELDOM) };
        }
        is_due
    }

    /// Returns true if a hold of `length` nanoseconds has to be reported: unless one at least half
    /// as long was reported lately.
    pub(super) fn hold(&mut self, length: u64, now: u64) -> bool {
        let (again, reported) = self.hold;
        let is_due = now >= again || length / 2 > reported;
        if is_due {
            self.hold = (now.saturating_add(SELDOM), length);
        }
        is_due
    }

    /// Returns the number of refusals before this one that were not reported, if this one has to
    /// be.
    pub(super) fn refusal(&mut self, now: u64) -> Option<u64> {
        let (again, more) = self.refusals;
        let is_due = now >= again;
        self.refusals = if is_due { (now.saturating_add(SELDOM), 0) } else { (again, more + 1) };
        is_due.then_some(more)
    }

    /// Counts a refusal that the declared limits do not explain. Returns true for the first.
    pub(super) fn unexplained(&mut self) -> bool {
        self.unexplained += 1;
        self.unexplained == 1
    }

    /// Returns the number of those.
    pub(super) fn unexplained_refusals(&self) -> u64 {
        self.unexplained
    }
}

#[cfg(test)]
mod tests {
    use super::{Notices, SELDOM};

    #[test]
    fn a_limit_is_reported_once_per_change() {
        let mut notices = Notices::default();
        assert!(!notices.limit(0, 200, 200, 1));
        assert!(notices.limit(0, 30, 200, 2));
        assert!(!notices.limit(0, 30, 200, 2 * SELDOM));
        // The other limits of the same response are reported, too.
        assert!(notices.limit(2, 30, 200, 2));
        assert!(notices.limit(0, 200, 200, 2 * SELDOM));
    }

    #[test]
    fn a_limit_that_alternates_is_reported_seldom_and_the_last_change_is_not_lost() {
        let mut notices = Notices::default();
        let reported = (0..1_000).filter(|now| notices.limit(0, now % 2, 200, *now)).count();
        assert_eq!(reported, 1);
        assert!(notices.limit(0, 1, 200, SELDOM));
    }

    #[test]
    fn refusals_are_counted_while_they_are_not_reported() {
        let mut notices = Notices::default();
        assert_eq!(notices.refusal(0), Some(0));
        assert!((0..9_999).all(|_| notices.refusal(1).is_none()));
        assert_eq!(notices.refusal(SELDOM), Some(9_999));
        assert_eq!(notices.refusal(2 * SELDOM), Some(0));
    }

    #[test]
    fn holds_that_grow_little_by_little_are_reported_seldom() {
        let mut notices = Notices::default();
        let reported = (1..1_000_000).filter(|length| notices.hold(*length, 0)).count();
        assert!(reported <= 20, "{reported}");
        assert!(notices.hold(600_000_000_000, 1));
        assert!(!notices.hold(600_000_000_000, 1));
        assert!(notices.hold(1, SELDOM + 1));
    }
}
