//! Changes that a client tells the server: of the pace, of holds, and of what it took alone.
//!
//! Several may come before the next batch, and a batch may be given up. So each can be joined with
//! a later one.

use super::scale::MOST;

/// A change of the pace of one limit, to tell the server. Zeros stand for none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PaceChange {
    /// The charge of a call that was refused.
    pub(super) refused: u64,
    /// The span of a climb.
    pub(super) span: u64,
    /// The rest of a climb that the server has lost.
    pub(super) rest: u64,
    /// The rate that the provider allows, in parts of the declared one.
    pub(super) rate: u64,
}

impl PaceChange {
    /// Adds a later change.
    pub(super) fn add(&mut self, later: Self) {
        self.refused = self.refused.max(later.refused);
        self.span = self.span.max(later.span);
        self.rest = self.rest.max(later.rest);
        self.rate = if later.rate > 0 { later.rate } else { self.rate };
    }
}

/// The amounts that a process took from one limit while it decided alone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    pub(super) all: u64,
    /// The least of it to owe.
    pub(super) least: Leaking,
    /// The `idle` that the client had seen before.
    pub(super) idle: i64,
    /// Before then, on the clock of the client, the bucket cannot have stood idle.
    pub(super) full_until: u64,
}

impl Taken {
    /// Returns what is left of the idle time that the client has seen last, once the server has
    /// counted a part of it for this.
    pub(super) fn idle_left_of(&self, idle: i64) -> i64 {
        let counted = self.all.saturating_sub(self.least.level).cast_signed();
        if counted > 0 { idle.saturating_sub(counted).max(self.idle).min(idle) } else { idle }
    }

    /// Adds what was taken in a later outage. What the bucket stood idle for counts from the first
    /// one on.
    pub(super) fn add(&mut self, later: Self) {
        let from = self.least.from.max(later.least.from);
        let level = self.least.at(from).saturating_add(later.least.at(from)).min(MOST);
        self.least = Leaking { level, from };
        self.full_until = self.full_until.max(later.full_until);
        self.all = self.all.saturating_add(later.all).min(MOST);
    }
}

/// A level that leaks from a moment on: of a limit that resets, that is never.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leaking {
    pub(super) level: u64,
    pub(super) from: u64,
}

impl Leaking {
    /// Returns what is left of the level at `now`.
    pub(super) fn at(self, now: u64) -> u64 {
        self.level.saturating_sub(now.saturating_sub(self.from))
    }
}

/// What ends, before a hold begins. Each includes the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ends {
    Nothing,
    /// The hold of all calls.
    Hold,
    /// Those of single limits.
    LimitHolds,
    /// All that is in the buckets, which become as new.
    Everything,
}

/// A change of the hold, to tell the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct HoldChange {
    /// What ends, before a hold begins.
    pub(super) ends: Ends,
    /// A hold lasts until then, on the clock of the client.
    pub(super) until: Option<u64>,
    /// It does because a quota is used up.
    pub(super) exhausts: bool,
}

impl HoldChange {
    /// Returns the change that ends something.
    pub(super) fn end(ends: Ends) -> Self {
        Self { ends, until: None, exhausts: false }
    }

    /// Returns the change that consists of this one and a later one.
    pub(super) fn then(self, later: Self) -> Self {
        let ends = self.ends.max(later.ends);
        if later.ends > Ends::Nothing {
            return Self { ends, ..later };
        }
        Self { ends, until: self.until.max(later.until), exhausts: self.exhausts || later.exhausts }
    }
}
