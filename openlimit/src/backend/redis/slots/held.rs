//! Holds of shared limits: one process sends it to the server, and the others learn of it with
//! their next reply.
//!
//! During a hold the server grants nothing before its end, and the buckets do not leak. Slots that
//! were granted before are given back, and their calls ask again shortly before the end.

use std::mem;

use super::state::Slots;
use crate::backend::{Buckets as _, HOLD};

impl Slots {
    /// Begins a hold, and sends it to the server at once.
    pub(super) fn hold_until(&mut self, until: u64, now: u64) {
        self.held_until = until;
        self.ledger.begin_hold(until);
        self.release_all(now);
        self.flush_at = self.flush_at.min(now);
    }

    /// Ends the hold, and sends that to the server at once.
    pub(super) fn end_hold(&mut self, now: u64) {
        if now < self.held_until {
            self.held_until = 0;
            self.ledger.end_hold();
            self.flush_at = self.flush_at.min(now);
        }
    }

    /// Takes over what a reply says about the hold, unless the server does not know of the latest
    /// change yet. It was `decided` then, in microseconds of the server's clock. If the server has
    /// `lost` its state, this client tells it of the hold again.
    ///
    /// By the server's clock the end is exact. By that of the client it seems later if the reply
    /// comes later, which is no reason to give back slots that were granted for the time after it.
    pub(super) fn learn_hold(&mut self, rest: u64, decided: u64, lost: bool, now: u64) {
        let at_server = if rest > 0 { decided + rest / 1_000 } else { 0 };
        let is_longer = at_server > mem::replace(&mut self.held_at_server, at_server);
        if self.ledger.has_hold() {
            return;
        }
        let until = if rest > 0 { self.seen_at + rest.min(self.max_hold) } else { 0 };
        if lost && self.held_until > until.max(now) {
            self.hold_until(self.held_until, now);
            return;
        }
        if is_longer && until > now {
            self.release_all(now);
        }
        if until > now || now < self.held_until {
            self.held_until = until;
            // They decide during an outage.
            self.alone.share.release(now);
            self.alone.share.hold(until, now);
        }
    }

    /// Returns a wait and what decides it, once the hold is taken into account.
    pub(super) fn at_end_of_hold(&self, wait: (u64, usize), now: u64) -> (u64, usize) {
        let rest = self.held_until.saturating_sub(now);
        if rest > 0 { (rest.max(wait.0), HOLD) } else { wait }
    }

    /// Returns when calls may be requested: once the server may grant them.
    pub(super) fn may_ask_at(&self, now: u64) -> u64 {
        self.ask_at.max(self.held_until.saturating_sub(self.look_ahead(now)))
    }
}
