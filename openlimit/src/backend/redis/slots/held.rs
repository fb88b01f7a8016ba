//! Holds of shared limits: one process sends it to the server, and the others learn of it with
//! their next reply.
//!
//! During a hold the server grants nothing before its end, and the buckets do not leak. Slots that
//! were granted before are given back, and their calls ask again shortly before the end. The hold
//! may be released by another process, which tells nobody. So they also ask once in [`NEWS`].
//!
//! A call that is granted for the end of a hold is charged as of then. So the hold lasts until that
//! end even if it is released, which is a look-ahead at most.
//!
//! While a quota is used up, the server grants one call of all clients, the probe, once the time is
//! over. The client that has the probe lets its call depart. The other clients refuse their calls,
//! and ask the server about once in [`NEWS`] while they do.
//!
//! A shared limiter is held as a whole, also if one of its limits is the reason: one call that
//! waits in another process may take from any of them.

use std::mem;

use super::state::Slots;
use crate::backend::redis::wire::BatchReply;
use crate::backend::{Buckets as _, HOLD};

/// How old a reply may be before a client asks if a hold is over, in nanoseconds: 1 s. One batch a
/// second is no load.
const NEWS: u64 = 1_000_000_000;

impl Slots {
    /// Begins or prolongs a hold, and sends it to the server at once. It is sent even if one is
    /// known that lasts longer: another process may have ended that one.
    pub(super) fn begin_hold(&mut self, until: u64, exhausts: bool, now: u64) {
        if until > self.held_until || exhausts && !self.is_exhausted {
            self.drop_all(now);
        }
        self.setbacks += 1;
        self.hold_until(self.held_until.max(until), now);
        self.is_exhausted |= exhausts;
        self.ledger.begin_hold(Some(until).filter(|until| *until > now), exhausts);
        self.flush_at = self.flush_at.min(now);
    }

    /// Ends the hold, and sends that to the server at once.
    pub(super) fn end_hold(&mut self, now: u64) {
        if self.is_held(now) {
            self.hold_until(0, now);
            (self.is_exhausted, self.probe_slot) = (false, 0);
            // The hold may be why the calls were not granted.
            self.ask_at = 0;
            self.ledger.end_hold();
            self.flush_at = self.flush_at.min(now);
        }
    }

    /// Moves the end of the hold to `until`, which may be over. Rates that climb stand still until
    /// then.
    fn hold_until(&mut self, until: u64, now: u64) {
        let (from, to) = (now.max(self.held_until), now.max(until));
        for known in &mut self.climbs {
            known.climb = known.climb.moved(from, to);
        }
        self.held_until = until;
    }

    /// Lets another call be the probe, because this client lost its slot for it.
    pub(super) fn pass_probe_on(&mut self, now: u64) {
        self.probe_slot = 0;
        self.ledger.end_hold();
        self.ledger.begin_hold(None, true);
        self.flush_at = self.flush_at.min(now);
    }

    /// Takes over what a reply says about the hold, unless the server does not know of the latest
    /// change yet. If the server has `lost` its state, this client tells it of the hold again.
    ///
    /// By the server's clock the end is exact. By that of the client it seems later if the reply
    /// comes later, which is no reason to give back slots that were granted for the time after it.
    pub(super) fn learn_hold(&mut self, reply: &BatchReply, lost: bool, now: u64) {
        let rest = reply.held_for;
        let at_server = if rest > 0 { reply.decided + rest / 1_000 } else { 0 };
        let is_longer = at_server > mem::replace(&mut self.held_at_server, at_server);
        if self.ledger.has_hold() {
            return;
        }
        if reply.is_exhausted && (reply.has_probe || self.probe_slot > 0) {
            // Its own call is the one that the others wait for.
            self.hold_until(now, now);
            self.is_exhausted = true;
            return;
        }
        let until = if rest > 0 { self.seen_at + rest.min(self.max_hold) } else { 0 };
        let is_forgotten = self.held_until > until.max(now) || self.is_exhausted && !reply.is_exhausted;
        if lost && is_forgotten {
            self.begin_hold(self.held_until, self.is_exhausted, now);
            return;
        }
        let begins = reply.is_exhausted && !self.is_exhausted;
        if begins || is_longer && until > now {
            self.drop_all(now);
        }
        if until > now || self.is_held(now) || begins {
            self.hold_until(until, now);
            (self.is_exhausted, self.probe_slot) = (reply.is_exhausted, 0);
            // They decide during an outage.
            self.alone.share.release(now);
            if reply.is_exhausted {
                self.alone.share.exhaust(until, now);
            } else {
                self.alone.share.hold(until, now);
            }
        }
    }

    /// Notes that a call was refused because a quota is used up. Asks the server if that is so
    /// still, unless it has said so lately.
    pub(super) fn want_news(&mut self, now: u64) {
        self.wants_news |= self.in_flight.is_none() && now.saturating_sub(self.seen_at) >= NEWS;
    }

    /// Returns true if Redis admits nothing at `now`, or only a probe.
    pub(super) fn is_held(&self, now: u64) -> bool {
        now < self.held_until || self.is_exhausted
    }

    /// Returns a wait and what decides it, once the hold is taken into account.
    pub(super) fn at_end_of_hold(&self, wait: (u64, usize), now: u64) -> (u64, usize) {
        let rest = self.held_until.saturating_sub(now);
        if rest > 0 { (rest.max(wait.0), HOLD) } else { wait }
    }

    /// Returns when calls may be requested: once the server may grant them, or say that the hold is
    /// over.
    pub(super) fn may_ask_at(&self, now: u64) -> u64 {
        let end = self.held_until.saturating_sub(self.look_ahead(now));
        self.ask_at.max(end.min(self.seen_at.saturating_add(NEWS)))
    }
}
