//! Bounds how many calls are in flight: `flights` counts them, and knows how many may be.
//!
//! A call is in flight from its admission until its permit is given back. While as many are as may
//! be, the head of the queue waits for one of them to end, in the same way in which it waits for
//! the buckets: nothing is charged, and nothing overtakes it. When that will be is not known, so no
//! timer is set for it. The end of a call pumps the queue.

use std::task::Waker;

use super::flights::{Flights, NO_SUCCESS};
use super::{Admission, Decided};
use crate::backend::{Buckets as _, Due};
use crate::limits::Concurrency;
use crate::queue::{Grant, Key, Outcome, Refusal, Waiter};

impl Admission {
    /// Limits how many calls are in flight at a time.
    pub(crate) fn bounds_in_flight(mut self, concurrency: Option<&Concurrency>) -> Self {
        if let Some(concurrency) = concurrency {
            self.seldom.change().in_flight = Some(Flights::new(concurrency));
        }
        self
    }

    fn flights(&self) -> Option<&Flights> {
        self.seldom.get().in_flight.as_ref()
    }

    fn flights_mut(&mut self) -> Option<&mut Flights> {
        self.seldom.changed()?.in_flight.as_mut()
    }

    /// Changes how many calls may be in flight, if that is limited.
    pub(crate) fn bound_in_flight(&mut self, concurrency: Option<&Concurrency>, now: u64) {
        if let Some((flights, concurrency)) = self.flights_mut().zip(concurrency) {
            flights.bound(concurrency, now);
            self.pass_room_on();
        }
    }

    /// Returns how many calls are in flight and the most that may be, if that is limited.
    pub(crate) fn in_flight(&self) -> Option<(u32, u32)> {
        self.flights().map(|flights| (flights.calls, flights.most))
    }

    /// Admits a call at `now` if no call waits, every limit has room, and one more may be in
    /// flight. Then completes its grant.
    ///
    /// [`take`](Self::take) is the quick way for calls of limiters without concurrency.
    pub(crate) fn grant(&mut self, grant: &mut Grant, now: u64) -> bool {
        if self.is_saturated() {
            return false;
        }
        let Some(charge) = self.take(grant.amounts.as_slice(), now) else { return false };
        (grant.charge, grant.flight) = (charge, self.depart());
        true
    }

    /// Notes that a call departs. Returns its number, if calls in flight are limited.
    pub(super) fn depart(&mut self) -> Option<u64> {
        let number = self.flights_mut().map(|flights| flights.depart());
        self.pass_room_on();
        number
    }

    /// Notes that the call of this number has ended with success, or another one
    /// [without](NO_SUCCESS).
    pub(crate) fn end_flight(&mut self, number: u64, now: u64) {
        if let Some(flights) = self.flights_mut() {
            flights.end(number, now);
            self.pass_room_on();
        }
    }

    /// Notes that the call of this number was refused because too many were in flight, as far as is
    /// known.
    pub(crate) fn cut_concurrency(&mut self, number: u64) {
        if let Some(flights) = self.flights_mut() {
            flights.cut(number);
            self.pass_room_on();
        }
    }

    /// Tells the backend how many calls may depart, so that a store grants no more of them ahead.
    fn pass_room_on(&mut self) {
        if let Some(room) = self.flights().map(|flights| flights.room()) {
            self.backend.set_room(room.try_into().unwrap_or(usize::MAX));
        }
    }

    /// Returns true if as many calls are in flight as may be.
    pub(crate) fn is_saturated(&self) -> bool {
        self.flights().is_some_and(|flights| flights.room() == 0)
    }

    /// Returns when a call may depart that the backend admits at `due`.
    pub(super) fn due_in_flight(&self, due: Due) -> Due {
        let flight = self.flights().map(|flights| flights.due());
        flight.filter(|flight| flight.at > due.at).unwrap_or(due)
    }

    /// Returns true if no call is in flight, or if that is not known because they are not limited.
    /// Otherwise keeps the waker: the [`pump`](Self::pump) after the last call wakes it.
    pub(crate) fn has_landed(&mut self, waker: &mut Option<Waker>) -> bool {
        self.flights_mut().is_none_or(|flights| flights.have_ended(waker))
    }

    /// Wakes those who wait until no call is in flight.
    pub(super) fn wake_landed(&mut self, wakers: &mut Vec<Waker>) {
        if let Some(flights) = self.flights_mut() {
            flights.ended(wakers);
        }
    }

    /// Returns the refusal of a call that waited for `waited`, if as many are in flight as may be.
    /// Or if there are no limits that it could wait for: then it waits behind a call whose turn it
    /// is here, and not in other queues.
    pub(super) fn saturated(&self, waited: u64, now: u64) -> Option<Refusal> {
        let has_limits = self.queue.dimensions() > 0;
        let (calls, most) =
            self.in_flight().filter(|_| self.is_saturated() || !has_limits && !self.backend.is_shut(now))?;
        Some(Refusal::InFlight { calls, most, waited })
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
        // If it may not wait and would be next, the queue decides: a store may have a slot for it.
        if (call.timeout() > 0 || self.queue.head_before(&call).is_some())
            && let Some(refusal) = self.foresee(&call, now)
        {
            return Decided::Refused(refusal);
        }
        let key = self.join(call);
        self.pump(now, wakers);
        self.or_shed(key, now, wakers)
    }

    /// Frees the entry of a call that is dropped. If it was admitted and not polled since, gives
    /// back what it was granted.
    pub(crate) fn leave(&mut self, key: Key, now: u64) -> (Option<Waiter>, Option<Outcome>) {
        self.turn_passes(key, now);
        let left = self.queue.leave(key);
        if let (_, Some(Outcome::Admitted(grant))) = &left {
            self.take_back(grant, now);
        }
        left
    }

    /// Gives back what a call was granted that was never sent.
    pub(crate) fn take_back(&mut self, grant: &Grant, now: u64) {
        self.backend.refund(&grant.amounts, grant.charge, now, |_, _| ());
        self.pass_probe_on(grant, now);
        if grant.flight.is_some() {
            self.end_flight(NO_SUCCESS, now);
        }
    }
}
