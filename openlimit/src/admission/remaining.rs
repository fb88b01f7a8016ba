//! `Remaining`: believes what the provider says is left of a limit.
//!
//! # The rule
//!
//! A response says how much was left when its call was counted. Since then this limiter has
//! admitted more calls. So at most
//!
//! ```text
//! remaining - charged since that call - cushion
//! ```
//!
//! is left now, and the rate is added as time passes. If the bucket has more room than that,
//! another consumer uses the same limit, or the provider counts more than this limiter does. Then
//! the bucket is filled until it has that much room. A response never makes room: what it says may
//! be stale, or the room may be meant for another consumer.
//!
//! Of limits that are shared through Redis, what other processes were granted since counts as much:
//! the server numbers the charges of all (`granted_since` of the backend).
//!
//! The refill is counted from the arrival of the response, not from the sending of the call: what
//! others took while the call was on its way is not known.
//!
//! The *cushion* is for what others take before the next response. Without one, this limiter and
//! another consumer meet at zero and refuse each other. It is the smaller of one second of the rate
//! and 15 % of the most that was ever left. In a simulation of buckets of 1, 10 and 60 s, with
//! replies after 20 ms to 10 s, hardly any call is refused. With 20 % from a bucket of 1 s, 2 %
//! less of the limit was used where replies took a second, and little was won.
//!
//! Example: a limit of 100 per second. A response says that 500 are left, and 120 were admitted
//! since its call. The most ever left was 1 000, so the cushion is 100, one second of the rate. So
//! 500 - 120 - 100 = 280 may be taken now.
//!
//! # Stale responses
//!
//! If more was admitted since a call than was ever left, the provider's bucket has refilled since.
//! Then its response says nothing of what is left now, and is ignored. This is so where replies
//! take longer than the bucket to refill. What is left to learn from there are refusals, which cut
//! the rate (`congestion` of the module `limiter`). In the simulation, a bucket of 1 s and replies
//! after 3 s: 98 % of what another consumer leaves is used, and 73 % if such responses are
//! believed.
//!
//! Responses arrive in another order than their calls were admitted in. One is ignored if a
//! response to a later call was there before.

use super::calls::Calls;
use super::plan::Plan;
use super::reported::Reported;
use crate::limits::Rate;

/// The charges so far, and the contents of responses.
#[derive(Debug)]
pub(crate) struct Remaining {
    calls: Calls,
    /// By the place of each limit.
    reported: Box<[Reported]>,
}

/// The statement of one response about one limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// The place of the limit.
    pub(crate) place: usize,
    /// The amount that is allowed, and the amount that is left.
    pub(crate) limit: Option<u64>,
    pub(crate) remaining: Option<u64>,
    /// The time in nanoseconds until it resets.
    pub(crate) resets_in: Option<u64>,
}

impl Remaining {
    /// Notes a charge at `now`.
    pub(crate) fn charge(&mut self, amounts: &[u64], charge: u64, now: u64) {
        self.calls.add(amounts, charge, now);
    }

    /// Creates it for the limits of a plan.
    pub(crate) fn of(plan: &Plan) -> Box<Self> {
        let reported = plan.limits().iter().map(|limit| Reported::of(limit.rate().amount()));
        Box::new(Self { calls: Calls::new(plan.width()), reported: reported.collect() })
    }

    /// Notes what a response said is left, if it did.
    pub(crate) fn note_said(&mut self, place: usize, left: Option<u64>, now: u64) {
        self.reported[place].said = Some((left, now));
    }

    /// Returns what the last response said is left, if it did, and when that was read.
    pub(crate) fn said(&self, place: usize) -> Option<(Option<u64>, u64)> {
        self.reported[place].said
    }

    /// Notes the amount that the provider allows.
    pub(crate) fn note_limit(&mut self, place: usize, limit: u64) {
        self.reported[place].limit = Some(limit);
    }

    /// Notes that another amount is declared than before. What was found by trying counts only
    /// beyond it.
    pub(crate) fn declare(&mut self, place: usize, declared: u64) {
        self.reported[place].declare(declared);
    }

    /// Returns the amount that the provider allows, if it has said so.
    pub(crate) fn limit(&self, place: usize) -> Option<u64> {
        self.reported[place].limit
    }

    /// Returns the amount by which the rate goes: what the provider allows, or what was found by
    /// trying. `None` if neither is known.
    pub(crate) fn rate(&self, place: usize) -> Option<u64> {
        self.reported[place].rate()
    }

    /// Returns the amount by which a limiter of this plan goes: never more than declared, unless it
    /// raises rates.
    pub(crate) fn allowed(&self, place: usize, plan: &Plan) -> u64 {
        let declared = plan.limits()[place].rate().amount();
        self.rate(place).map_or(declared, |rate| plan.raised(rate, declared))
    }

    /// Returns the amount to try next of a limit, if it is time for that: see [`Reported::grow`].
    pub(crate) fn grow(
        &mut self,
        place: usize,
        declared: u64,
        in_force: impl FnOnce() -> u64,
        now: u64,
    ) -> Option<u64> {
        self.reported[place].grow(declared, in_force, now)
    }

    /// Returns how long ago a call was admitted, in nanoseconds. Zero if that was before the first
    /// call that is known.
    pub(crate) fn age(&self, charge: u64, now: u64) -> u64 {
        self.calls.age(charge, now)
    }

    /// Returns true if a response has said anything about a limit.
    pub(crate) fn has_reports(&self) -> bool {
        self.reported.iter().any(Reported::has_any)
    }

    /// Returns how much is left of a limit by a response that said `remaining`. Below zero if more
    /// than that was admitted since. `None` if the response is stale, or its call came before the
    /// first charge that is known.
    ///
    /// `charge` is that of its call; `None` if the response is taken for the latest. `all` is what
    /// was charged since by all processes that share the limit, if that is known.
    pub(crate) fn left(
        &mut self,
        (place, dimension): (usize, usize),
        rate: Rate,
        remaining: u64,
        charge: Option<u64>,
        all: Option<u64>,
    ) -> Option<i64> {
        let reported = &mut self.reported[place];
        reported.most = reported.most.max(remaining);
        let since = match charge {
            None => 0,
            Some(charge) => {
                let call = self.calls.of(charge)?;
                if call.order < reported.latest {
                    return None;
                }
                reported.latest = call.order;
                let own = self.calls.since(call, dimension);
                let since = own.max(all.unwrap_or(0));
                // The provider's bucket has refilled since.
                if since > reported.most {
                    return None;
                }
                since
            }
        };
        let left = i128::from(remaining) - i128::from(since) - i128::from(cushion(reported.most, rate));
        Some(i64::try_from(left).unwrap_or(if left < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Returns how much the provider's bucket was seen to hold, less the cushion. A limit that was
    /// higher once holds no more than the amount of this rate now.
    pub(crate) fn held(&self, place: usize, rate: Rate) -> u64 {
        let most = self.reported[place].most;
        (most - cushion(most, rate)).min(rate.amount())
    }
}

/// Returns the cushion if `most` is the most that was ever left.
fn cushion(most: u64, rate: Rate) -> u64 {
    let second = u128::from(rate.amount()) * 1_000_000_000 / rate.period().as_nanos().max(1);
    let part = u128::from(most) * 15 / 100;
    u64::try_from(second.min(part)).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::{Calls, Remaining, Reported};
    use crate::limits::Rate;

    const RATE: Rate = Rate::per_second(100);

    fn nothing_said() -> Remaining {
        Remaining { calls: Calls::new(1), reported: [Reported::default()].into() }
    }

    #[test]
    fn what_was_charged_since_and_the_cushion_are_subtracted() {
        let mut remaining = nothing_said();
        remaining.charge(&[10], 1, 0);
        assert_eq!(remaining.left((0, 0), RATE, 1_000, Some(1), None), Some(900));
        remaining.charge(&[70], 2, 0);
        remaining.charge(&[50], 3, 0);
        assert_eq!(remaining.left((0, 0), RATE, 500, Some(1), None), Some(280));
        assert_eq!(remaining.left((0, 0), RATE, 10, Some(3), None), Some(-90));
        // Without a call, it is taken for the latest.
        assert_eq!(remaining.left((0, 0), RATE, 500, None, None), Some(400));
    }

    #[test]
    fn what_all_processes_were_charged_since_is_subtracted_too() {
        let mut remaining = nothing_said();
        remaining.charge(&[10], 1, 0);
        remaining.charge(&[70], 2, 0);
        assert_eq!(remaining.left((0, 0), RATE, 1_000, Some(1), Some(200)), Some(700));
        // What this process was charged is known better.
        assert_eq!(remaining.left((0, 0), RATE, 500, Some(1), Some(60)), Some(330));
        // More than was ever left, so the provider's bucket has refilled since.
        assert_eq!(remaining.left((0, 0), RATE, 500, Some(2), Some(1_001)), None);
    }

    #[test]
    fn stale_responses_and_calls_that_are_not_known_are_ignored() {
        let mut remaining = nothing_said();
        assert_eq!(remaining.left((0, 0), RATE, 500, Some(1), None), None);
        remaining.charge(&[10], 5, 0);
        remaining.charge(&[10], 6, 0);
        assert_eq!(remaining.left((0, 0), RATE, 500, Some(4), None), None);
        assert!(remaining.left((0, 0), RATE, 500, Some(6), None).is_some());
        assert_eq!(remaining.left((0, 0), RATE, 400, Some(5), None), None);
    }

    #[test]
    fn a_response_is_stale_once_more_was_admitted_than_was_ever_left() {
        let mut remaining = nothing_said();
        remaining.charge(&[1], 1, 0);
        remaining.charge(&[1], 2, 0);
        remaining.charge(&[100], 3, 0);
        assert_eq!(remaining.left((0, 0), RATE, 100, Some(1), None), None);
        assert_eq!(remaining.left((0, 0), RATE, 100, Some(2), None), Some(-15));
    }

    #[test]
    fn numbers_that_fall_after_an_outage_are_no_sign_of_a_stale_response() {
        const LOCAL: u64 = 1 << 63;
        let mut remaining = nothing_said();
        for charge in [7, LOCAL + 1, LOCAL + 2, 8, 9] {
            remaining.charge(&[10], charge, 0);
        }
        assert_eq!(remaining.left((0, 0), RATE, 1_000, Some(LOCAL + 1), None), Some(870));
        assert_eq!(remaining.left((0, 0), RATE, 1_000, Some(8), None), Some(890));
        assert_eq!(remaining.left((0, 0), RATE, 1_000, Some(LOCAL + 2), None), None);
        assert_eq!(remaining.left((0, 0), RATE, 1_000, Some(9), None), Some(900));
    }

    #[test]
    fn later_calls_of_the_same_lease_are_subtracted() {
        let mut remaining = nothing_said();
        for charge in [5, 5, 5, 6, 5] {
            remaining.charge(&[10], charge, 0);
        }
        // It may be the first of them, so all others count.
        assert_eq!(remaining.left((0, 0), RATE, 1_000, Some(5), None), Some(860));
        assert_eq!(remaining.left((0, 0), RATE, 1_000, Some(6), None), Some(890));
    }
}
