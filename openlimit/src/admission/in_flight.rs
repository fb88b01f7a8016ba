//! `Flights`: the calls that are in flight, where their number is limited. And how that number
//! adapts.
//!
//! A call is in flight from its admission until its permit is given back. While as many are as may
//! be, the head of the queue waits for one of them to end, in the same way in which it waits for
//! the buckets: nothing is charged, and nothing overtakes it. When that will be is not known, so no
//! timer is set for it. The end of a call pumps the queue.
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

use super::{Admission, Decided};
use crate::backend::{Buckets as _, Due, HOLD};
use crate::limits::Concurrency;
use crate::queue::{Grant, Key, Outcome, Refusal, Waiter};

/// Stands for the concurrency in [`Due::limit`], which else is the place of a limit.
pub(crate) const CONCURRENCY: usize = HOLD - 1;

/// A refusal cuts the number to so many parts of so many: four fifths. In a simulation with calls
/// of 4 s at a provider that serves 32 at a time, half (TCP's) uses 73 % of that, four fifths 89 %,
/// and nine tenths (Netflix') 94 %, and 0.2, 0.4 and 0.7 % of all calls are refused. Beside others
/// that take a random part of it, which changes once a minute, it is 0.7, 1.2 and 2.2 %.
const CUT: (u64, u64) = (4, 5);

/// The fewest successes after which the number grows by one. With as many as calls may be in
/// flight, which is TCP's rule, a provider that serves one call at a time would be asked for a
/// second one by every other call. In that simulation it refuses 33 % then, and 5 % with this.
const SHORTEST_ROUND: u64 = 20;

/// The calls of one limiter that are in flight.
#[derive(Debug)]
pub(super) struct Flights {
    /// Their number.
    calls: u32,
    /// The most that may be.
    most: u32,
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
}

impl Flights {
    fn new(concurrency: &Concurrency) -> Self {
        let (least, highest) = concurrency.ends();
        Self { calls: 0, most: least, least, highest, last: 0, cut: 0, successes: 0, free_since: 0 }
    }

    /// Returns how many more calls may depart now.
    fn room(&self) -> u32 {
        self.most.saturating_sub(self.calls)
    }

    /// Returns when a further call may depart: the largest value while that is not known.
    fn due(&self) -> Due {
        Due { at: if self.room() > 0 { self.free_since } else { u64::MAX }, limit: CONCURRENCY }
    }

    /// Notes that a call departs, and returns its number.
    fn depart(&mut self) -> u64 {
        self.calls += 1;
        self.last += 1;
        self.last
    }

    /// Notes that a call has ended, and if it was a success.
    fn end(&mut self, number: u64, is_success: bool, now: u64) {
        let was_full = self.room() == 0;
        if is_success && was_full && number > self.cut {
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
    fn cut(&mut self, number: u64) {
        if number > self.cut {
            let (parts, of) = CUT;
            let most = u64::from(self.most) * parts / of;
            self.most = u32::try_from(most).unwrap_or(self.most).max(self.least);
            (self.cut, self.successes) = (self.last, 0);
        }
    }
}

impl Admission {
    /// Limits how many calls are in flight at a time.
    pub(crate) fn bounds_in_flight(self, concurrency: Option<&Concurrency>) -> Self {
        Self { in_flight: concurrency.map(|concurrency| Box::new(Flights::new(concurrency))), ..self }
    }

    /// Returns how many calls are in flight and the most that may be, if that is limited.
    pub(crate) fn in_flight(&self) -> Option<(u32, u32)> {
        self.in_flight.as_ref().map(|flights| (flights.calls, flights.most))
    }

    /// Admits a call at `now` if no call waits, every limit has room, and one more may be in
    /// flight. Then completes its grant.
    ///
    /// [`take`](Self::take) is the quick way for calls of limiters without concurrency.
    pub(crate) fn grant(&mut self, grant: &mut Grant, now: u64) -> bool {
        if self.is_full() {
            return false;
        }
        let Some(charge) = self.take(grant.amounts.as_slice(), now) else { return false };
        (grant.charge, grant.flight) = (charge, self.depart());
        true
    }

    /// Notes that a call departs. Returns its number, if calls in flight are limited.
    pub(super) fn depart(&mut self) -> Option<u64> {
        let number = self.in_flight.as_mut().map(|flights| flights.depart());
        self.pass_room_on();
        number
    }

    /// Notes that the call of this number has ended, and if it was a success.
    pub(crate) fn end_flight(&mut self, number: u64, is_success: bool, now: u64) {
        if let Some(flights) = &mut self.in_flight {
            flights.end(number, is_success, now);
            self.pass_room_on();
        }
    }

    /// Notes that the call of this number was refused because too many were in flight, as far as is
    /// known.
    pub(crate) fn cut_concurrency(&mut self, number: u64) {
        if let Some(flights) = &mut self.in_flight {
            flights.cut(number);
            self.pass_room_on();
        }
    }

    /// Tells the backend how many calls may depart, so that a store grants no more of them ahead.
    fn pass_room_on(&mut self) {
        if let Some(flights) = &self.in_flight {
            self.backend.set_room(flights.room().try_into().unwrap_or(usize::MAX));
        }
    }

    /// Returns true if as many calls are in flight as may be.
    pub(super) fn is_full(&self) -> bool {
        self.in_flight.as_ref().is_some_and(|flights| flights.room() == 0)
    }

    /// Returns when a call may depart that the backend admits at `due`.
    pub(super) fn due_in_flight(&self, due: Due) -> Due {
        let flight = self.in_flight.as_ref().map(|flights| flights.due());
        flight.filter(|flight| flight.at > due.at).unwrap_or(due)
    }

    /// Returns the refusal of a call that waited for `waited`, if as many are in flight as may be.
    pub(super) fn full(&self, waited: u64) -> Option<Refusal> {
        let (calls, most) = self.in_flight().filter(|_| self.is_full())?;
        Some(Refusal::Full { calls, most, waited })
    }

    /// Decides about a call that may wait, where calls in flight are limited. Unless its wait is
    /// known to be too long, it joins the queue, where it may be admitted or refused at once.
    pub(super) fn arrive_in_flight(
        &mut self,
        call: Waiter,
        now: u64,
        wakers: &mut Vec<Waker>,
    ) -> Decided<Refusal> {
        self.pump(now, wakers);
        if call.timeout() > 0
            && let Some(refusal) = self.waits_too_long(&call, now)
        {
            return Decided::Refused(refusal);
        }
        let key = self.queue.join(call);
        self.pump(now, wakers);
        Decided::Waits(key)
    }

    /// Frees the entry of a call that is dropped. If it was admitted and not polled since, gives
    /// back what it was granted.
    pub(crate) fn leave(&mut self, key: Key, now: u64) -> (Option<Waiter>, Option<Outcome>) {
        let left = self.queue.leave(key);
        if let (_, Some(Outcome::Admitted(grant))) = &left {
            self.backend.refund(&grant.amounts, grant.charge, now, |_, _| ());
            self.pass_probe_on(grant, now);
            if let Some(number) = grant.flight {
                self.end_flight(number, false, now);
            }
        }
        left
    }
}
