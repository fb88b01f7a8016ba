//! Makes batches. One is in flight at a time.
//!
//! A batch requests slots for the calls at the front of the queue that no slot serves yet, in the
//! order of the queue as it is now. After them it requests a lease, if leases are on. It also takes
//! along all pending refunds and debts. Whatever joins, leaves or settles while it is in flight is
//! for the next batch. `wire.rs` has the format.
//!
//! Calls are requested until the last slot lies beyond the look-ahead, or is a large one
//! (`requests.rs`). So at most the calls of one look-ahead, and one more, are granted ahead. A new
//! batch is due as soon as an eighth of the look-ahead is free again ([`PORTION`]). With a
//! look-ahead of 100 ms and many waiting calls that is a batch every 12.5 ms. A batch that requests
//! nothing is due if calls are about to depart and the last reply is old (`held.rs`).

use std::collections::VecDeque;
use std::mem;

use super::state::{Slot, Slots};
use crate::backend::redis::ledger::ServerClock;
use crate::backend::redis::wire::Writer;
use crate::queue::Queue;

/// The part of the look-ahead that has to be free before more slots are requested: one in so many.
/// So each batch has many calls while many wait, and seven eighths of the look-ahead remain for the
/// round trip.
pub(super) const PORTION: u64 = 8;

impl Slots {
    /// Sends all pending refunds and debts with the next batch. Gives back all slots first, leases
    /// included, if no call waits.
    pub(in crate::backend::redis) fn flush_now(&mut self, queue: &Queue, now: u64) {
        if queue.is_empty() {
            self.drop_all(now);
            self.lease_for = None;
        }
        self.flush_at = self.flush_at.min(now);
    }

    /// Notes that the driver looks at the state again when it is called. Nothing waits for the
    /// batch in flight, which the driver retries at long intervals.
    pub(super) fn sleep_until_called(&mut self) {
        self.next_look = u64::MAX;
    }

    /// Returns when there will be something to send; the largest value for never.
    pub(super) fn next_batch(&self, queue: &Queue, now: u64) -> u64 {
        // A client that wants no more calls leaves the line at once.
        let wanting = self.wanting(queue, now);
        let leaves_line =
            self.in_line.is_some() && self.in_flight.is_none() && self.serve_all(queue, wanting);
        if leaves_line { now } else { self.next_work(wanting, now) }
    }

    /// Does the same while so many waiters [want slots](Self::wanting).
    pub(super) fn next_work(&self, wanting: [usize; 2], now: u64) -> u64 {
        if self.in_flight.is_some() {
            // The driver sends a batch without a reply again by itself, but at long intervals if no
            // call waits. The first call that waits makes it do so now. If the batch was refused
            // for a lasting reason, that is also one that would take from a lease.
            let asks = wanting != [0, 0] || self.outage.is_none() && self.lease_for.is_some();
            return if asks { now } else { u64::MAX };
        }
        // While this process decides alone, a batch finds out when the server is back.
        if self.wants_news || self.is_local() {
            return now;
        }
        let [above, below] = [false, true].map(|is_below| {
            let (lane, waiting) = (self.lane(is_below), wanting[usize::from(is_below)]);
            let asks_for_lease =
                || self.lease_for.as_ref().is_some_and(|next| self.takes_share(next.as_slice()) == is_below);
            match lane.back() {
                None if waiting > 0 || asks_for_lease() => self.may_ask_at(now).max(now),
                Some(last) if waiting > lane.len() && !last.is_lease() => {
                    let free = if self.is_large(last) {
                        last.expires + 1
                    } else {
                        last.due.saturating_sub(self.look_ahead(now) - self.portion(now))
                    };
                    free.max(self.may_ask_at(now))
                }
                _ => u64::MAX,
            }
        });
        let leases = self.lanes().into_iter().filter_map(VecDeque::front);
        let lapse = leases.filter(|slot| slot.is_lease()).map(|slot| slot.expires + 1).min();
        let ask = above.min(below.max(self.below_from(now)));
        ask.min(self.flush_at).min(lapse.unwrap_or(u64::MAX)).min(self.news_at())
    }

    /// Begins a batch, and returns its bytes. There is one if there is something to request, to
    /// send or to learn, and always if a caller is `flushing`.
    ///
    /// # Errors
    /// Returns when there will be something to send, if that is known.
    pub(in crate::backend::redis) fn collect(
        &mut self,
        queue: &Queue,
        flushing: bool,
        now: u64,
    ) -> Result<Vec<u8>, Option<u64>> {
        self.begin(queue, flushing, now).ok_or_else(|| {
            self.next_look = self.next_batch(queue, now);
            Some(self.next_look).filter(|at| *at != u64::MAX)
        })
    }

    fn begin(&mut self, queue: &Queue, flushing: bool, now: u64) -> Option<Vec<u8>> {
        self.next_look = 0;
        self.note_kept_back(queue, now);
        if flushing {
            self.flush_now(queue, now);
        }
        if self.next_batch(queue, now) > now {
            return None;
        }
        self.drop_lapsed(now);
        self.set_paces(now);
        self.turn(now);
        let wants_news = mem::take(&mut self.wants_news) || self.is_local() || self.news_at() <= now;
        let calls = self.calls(queue, now);
        let leaves_line = self.in_line.take().is_some() && calls.is_empty();
        self.lease_for = None;
        let asks = wants_news || flushing || leaves_line || self.is_update_pending || !calls.is_empty();
        if !asks && !self.ledger.is_pending() {
            self.flush_at = u64::MAX;
            return None;
        }
        let mut batch = Writer::default();
        let clock = ServerClock { seen_at: self.seen_at, late_by: self.seen_late_by };
        self.ledger.begin(clock, &mut batch, now);
        for (due, at) in self.lanes().map(|lane| lane.back().map(Slot::begins).unwrap_or_default()) {
            batch.number(due.saturating_sub(now));
            batch.number(at);
        }
        batch.number(self.look_ahead(now));
        batch.number(self.scales.first().map_or(0, |scale| scale.pause));
        let seen = (self.news, self.held_at_server, self.exhausted_at_server);
        self.ledger.write_hold(seen, clock, &mut batch);
        let windows = self.windows_to_send(now);
        let seen_shut = &self.shut_at_server;
        self.ledger.write(&self.scales, calls.len(), &windows, seen_shut, (now, clock), &mut batch);
        for (call, longest) in &calls {
            batch.number(*longest);
            call.weights.iter().for_each(|weight| batch.number(*weight));
        }
        self.is_update_sent = self.is_update_pending;
        self.in_flight = Some(calls.into_iter().map(|(call, _)| call).collect());
        self.asked_at = now;
        self.heard_at = None;
        self.flush_at = if self.ledger.is_pending() { now } else { u64::MAX };
        Some(batch.finish())
    }
}
