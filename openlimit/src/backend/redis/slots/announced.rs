//! Holds that the server announces, before a reply says so.

use super::state::Slots;
use crate::backend::redis::wire::{Announcement, BatchReply};

impl Slots {
    /// Begins the holds of an announcement at once, if it is about the state of the last reply.
    /// What is on hold already is left to the next reply, and so is what this client has changed.
    pub(in crate::backend::redis) fn hear(&mut self, announced: &Announcement, now: u64) {
        let Announcement { decided, epoch, held_for, is_exhausted, shut_for } = announced;
        let is_known = *epoch == self.ledger.epoch() && shut_for.len() == self.scales.len();
        if !is_known || *decided <= self.ledger.seen_at() {
            return;
        }
        self.heard_at = Some(*decided);
        let most = self.max_hold;
        let until = |time: u64| now + time.min(most);
        if *held_for > 0 && !self.is_held(now) && !self.ledger.has_hold() {
            // Otherwise the next reply would seem to prolong it.
            (self.held_at_server, self.exhausted_at_server) = (decided + held_for / 1_000, *is_exhausted);
            self.news = *decided;
            self.drop_all(now);
            self.setbacks += 1;
            self.hold_until(until(*held_for), now);
            (self.is_exhausted, self.probe_slot) = (*is_exhausted, 0);
        }
        for (bucket, time) in shut_for.iter().enumerate() {
            let is_open = self.shut_until[bucket] <= now && !self.ledger.changes_limit_hold(bucket);
            if *time > 0 && is_open {
                (self.shut_at_server[bucket], self.news) = (decided + time / 1_000, *decided);
                self.shut_limit_until(bucket, until(*time), now);
            }
        }
        self.drop_held(now);
        self.tell_share(now);
    }

    /// Returns true if a reply may know of the hold that was announced last. It may also have been
    /// decided before that, and be applied only now. Then it says nothing about holds, and what it
    /// grants may not be used.
    ///
    /// If the server has `lost` its state, the batch has not told it of that hold. So this client
    /// does so now.
    pub(super) fn knows_holds(&mut self, reply: &BatchReply, lost: bool, now: u64) -> bool {
        let Some(heard_at) = self.heard_at.take() else { return true };
        if lost {
            self.tell_holds(now);
        }
        lost || heard_at <= reply.decided
    }

    /// Sends all holds that last to the server.
    fn tell_holds(&mut self, now: u64) {
        if self.is_held(now) {
            self.begin_hold(self.held_until, self.is_exhausted, now);
        }
        for bucket in 0..self.shut_until.len() {
            let until = self.shut_until[bucket];
            if until > now {
                self.begin_limit_hold(bucket, until, now);
            }
        }
    }
}
