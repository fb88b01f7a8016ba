//! `Flights`: how many calls are in flight, and how many may be.
//!
//! `in_flight` says what that is for.
//!
//! # How the number adapts
//!
//! As the congestion window of TCP (RFC 5681), with a success for an acknowledgement and a refusal
//! for a loss:
//!
//! - It begins at the lower end, because the user has named that as safe. It grows by one with each
//!   success until the first refusal. By additive increase alone, a provider that serves 64 calls
//!   at a time would be found after 2 000 calls. In this way it is after 64.
//! - From then on it grows by one in each [round](Flights::round), and a refusal cuts it by
//!   [`CUT`].
//! - It is cut **once per crowd**, as rates are (`limiter/congestion.rs`). Calls that departed
//!   before a cut say nothing of the new number: neither their refusals nor their successes.
//! - A success counts only while the number is used up. Otherwise an idle limiter would grow to the
//!   upper end without evidence (RFC 7661 has the same rule, and so does Netflix'
//!   concurrency-limits).
//!
//! It is at least one, and calls that are in flight end. So it is never stuck.

use std::task::Waker;

use crate::backend::{Due, HOLD};
use crate::limits::Concurrency;

/// Stands for the concurrency in [`Due::limit`], which else is the place of a limit.
pub(super) const CONCURRENCY: usize = HOLD - 1;

/// A refusal cuts the number to so many parts of so many: four fifths. In a simulation with calls
/// of 4 s at a provider that serves 32 at a time, half (TCP's) uses 73 % of that, four fifths 89 %,
/// and nine tenths (Netflix') 94 %, and 0.2, 0.4 and 0.7 % of all calls are refused. Beside others
/// that take a random part of it, which changes once a minute, it is 0.7, 1.2 and 2.2 %.
const CUT: (u64, u64) = (4, 5);

/// The fewest successes after which the number grows by one. With as many as calls may be in
/// flight, which is TCP's rule, a provider that serves one call at a time would be asked for a
/// second one by every other call. In that simulation it refuses 33 % then, and 5 % with this.
const SHORTEST_ROUND: u64 = 20;

/// Stands for the number of a call that ends without a success that counts.
pub(crate) const NO_SUCCESS: u64 = 0;

/// The calls of one limiter that are in flight.
#[derive(Debug)]
pub(super) struct Flights {
    /// Their number.
    pub(super) calls: u32,
    /// The most that may be.
    pub(super) most: u32,
    /// The ends between which `most` adapts.
    least: u32,
    highest: u32,
    /// The number of the last call that departed. They are numbered from one on.
    last: u64,
    /// The last call that had departed when `most` was cut.
    cut: u64,
    /// The successes since `most` changed.
    successes: u64,
    /// Since when a further call has been allowed.
    free_since: u64,
    /// To wake when none is in flight any more.
    wakers: Vec<Waker>,
}

impl Flights {
    pub(super) fn new(concurrency: &Concurrency) -> Self {
        let (least, highest) = concurrency.ends();
        Self {
            calls: 0,
            most: least,
            least,
            highest,
            last: 0,
            cut: 0,
            successes: 0,
            free_since: 0,
            wakers: Vec::new(),
        }
    }

    /// Changes how many may be in flight. Those that are, go on. A number that adapts stays as near
    /// as it can to what it was.
    pub(super) fn bound(&mut self, concurrency: &Concurrency, now: u64) {
        let was_full = self.room() == 0;
        (self.least, self.highest) = concurrency.ends();
        self.most = self.most.clamp(self.least, self.highest);
        if was_full && self.room() > 0 {
            self.free_since = now;
        }
    }

    /// Returns true if no call is in flight, and nothing was learned of how many may be.
    pub(super) fn is_as_new(&self) -> bool {
        let has_learned = self.most != self.least || self.cut > 0 || self.successes > 0;
        self.calls == 0 && (self.least == self.highest || !has_learned)
    }

    /// Returns how many more calls may depart now.
    pub(super) fn room(&self) -> u32 {
        self.most.saturating_sub(self.calls)
    }

    /// Returns when a further call may depart: the largest value while that is not known.
    pub(super) fn due(&self) -> Due {
        Due { at: if self.room() > 0 { self.free_since } else { u64::MAX }, limit: CONCURRENCY }
    }

    /// Returns true if no call is in flight. Otherwise keeps the waker, to wake it when that is so.
    pub(super) fn have_ended(&mut self, waker: &mut Option<Waker>) -> bool {
        let is_known = |waker: &Waker| self.wakers.iter().any(|known| known.will_wake(waker));
        if self.calls > 0 && !waker.as_ref().is_some_and(is_known) {
            self.wakers.extend(waker.take());
        }
        self.calls == 0
    }

    /// Moves those out who wait for the end of all calls, if it has come.
    pub(super) fn ended(&mut self, wakers: &mut Vec<Waker>) {
        if self.calls == 0 {
            wakers.append(&mut self.wakers);
        }
    }

    /// Notes that a call departs, and returns its number.
    pub(super) fn depart(&mut self) -> u64 {
        self.calls += 1;
        self.last += 1;
        self.last
    }

    /// Notes that the call of this number has ended with success, or another one
    /// [without](NO_SUCCESS).
    pub(super) fn end(&mut self, number: u64, now: u64) {
        let was_full = self.room() == 0;
        if was_full && number > self.cut {
            self.count_success();
        }
        self.calls = self.calls.saturating_sub(1);
        if was_full {
            self.free_since = now;
        }
    }

    fn count_success(&mut self) {
        self.successes += 1;
        if self.successes >= self.round() && self.most < self.highest {
            self.most += 1;
            self.successes = 0;
        }
    }

    /// Returns after how many successes the number grows by one.
    fn round(&self) -> u64 {
        if self.cut == 0 { 1 } else { SHORTEST_ROUND.max(self.most.into()) }
    }

    /// Notes that a call was refused because too many were in flight, as far as is known.
    pub(super) fn cut(&mut self, number: u64) {
        if number > self.cut {
            let (parts, of) = CUT;
            let most = u64::from(self.most) * parts / of;
            self.most = u32::try_from(most).unwrap_or(self.most).max(self.least);
            (self.cut, self.successes) = (self.last, 0);
        }
    }
}
