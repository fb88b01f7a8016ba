//! `Ledger`: what a client knows of the shared buckets, and the refunds and debts that the server
//! does not know yet.
//!
//! # Refunds
//!
//! A refund names its charge by the server's number, and the server decides how much of it can be
//! given back. `decide/stack.lua` says how. So a client only collects refunds, those of one charge
//! together, and sends them with the next batch. A batch has room for so many (`MOST_REFUNDS`), the
//! latest first, and the next one follows at once if more wait.
//!
//! # Files
//!
//! * `notes` is what happens between batches: refunds, debts, levels to raise, changes of the pace.
//!   `holds` is the same for holds.
//! * `batch` moves all of it into a batch, which is then in flight.
//! * `reply` settles what was in flight: the server has decided it, has not decided it, or is
//!   silent.

mod batch;
mod holds;
mod notes;
mod reply;

use std::collections::BTreeMap;

pub(super) use self::batch::ServerClock;
use super::changes::{Ends, HoldChange, Leaking, PaceChange, Taken};
use super::scale::MOST;

/// The ledger of one limiter.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    buckets: Box<[Account]>,
    /// The sequence number of the last batch.
    batch: u64,
    /// The sequence number of the last batch that had a reply.
    replied: u64,
    /// When the last reply was decided, in microseconds of the server's clock.
    seen_at: u64,
    /// When the state of the last reply began; zero before the first reply.
    epoch: u64,
    /// The number of its last charge.
    charges: u64,
    /// The weights to give back in each bucket, by charge. Those of an admitted call are apart from
    /// those of its slot: true for the call.
    refunds: BTreeMap<(u64, bool), Box<[u64]>>,
    /// Those in the batch in flight.
    sent: BTreeMap<(u64, bool), Box<[u64]>>,
    /// When this process went alone, while no batch has taken along what it took since.
    went_alone: Option<Went>,
    /// The same for what is in the batch in flight.
    went_before: Option<Went>,
    /// A change of the hold that no batch has taken along yet.
    hold: Option<HoldChange>,
    /// The change in the batch in flight.
    holding: Option<HoldChange>,
}

/// The client's view of one bucket, in nanoseconds of its rate.
#[derive(Clone, Debug, Default)]
struct Account {
    /// The level in the last reply.
    level: u64,
    /// The sum of the refunds that no batch has taken along yet.
    refund: u64,
    /// The sum of the refunds in the batch in flight.
    refunding: u64,
    /// The debt that no batch has taken along yet.
    debt: u64,
    /// The debt in the batch in flight.
    owing: u64,
    /// The weight that was granted to all clients, in the last reply. `None` if there was none, or
    /// none in this window of a limit that resets.
    sum: Option<u64>,
    /// The level that responses ask for as of that sum, and when, if no batch has taken it along
    /// yet.
    raise: Option<Leaking>,
    /// The same in the batch in flight.
    raising: Option<Leaking>,
    /// For how long the bucket stood idle since the state began, in the last reply.
    idle: i64,
    /// The amounts that this process took alone, and that no batch has taken along yet.
    taken: Taken,
    /// The same in the batch in flight.
    taking: Taken,
    /// A change of the pace that no batch has taken along yet.
    pace: PaceChange,
    /// The same in the batch in flight.
    pacing: PaceChange,
    /// Until when to hold this limit alone, on the clock of the client, if no batch has taken it
    /// along yet. Zero for no change.
    shut: u64,
    /// The same in the batch in flight.
    shutting: u64,
}

/// When a process went alone.
#[derive(Clone, Copy, Debug)]
struct Went {
    /// On its own clock, in nanoseconds.
    at: u64,
    /// The `epoch` that the client had seen before.
    epoch: u64,
}

impl Ledger {
    /// Creates the ledger of a client that has had no reply yet.
    pub(super) fn new(limits: usize) -> Self {
        Self {
            buckets: vec![Account::default(); limits].into(),
            batch: 0,
            replied: 0,
            seen_at: 0,
            epoch: 0,
            charges: 0,
            refunds: BTreeMap::new(),
            sent: BTreeMap::new(),
            went_alone: None,
            went_before: None,
            hold: None,
            holding: None,
        }
    }

    /// Returns the level in the last reply, corrected by the refunds and debts since. It is a lower
    /// bound, since not all of a refund may be given back.
    pub(super) fn level(&self, limit: usize) -> u64 {
        let Account { level, refund, refunding, debt, owing, taken, taking, .. } = self.buckets[limit];
        (level + debt + owing + taken.least.level + taking.least.level)
            .saturating_sub(refund.saturating_add(refunding))
    }

    /// Returns the weight that was granted to all clients in one limit since the server's sum was
    /// `sum`, as of the last reply.
    pub(super) fn granted_since(&self, limit: usize, sum: u64) -> u64 {
        let now = self.buckets[limit].sum.unwrap_or(sum);
        difference(now, sum).try_into().unwrap_or(0)
    }

    /// Returns when the last reply was decided, in microseconds of the server's clock; zero before
    /// the first one.
    pub(super) fn seen_at(&self) -> u64 {
        self.seen_at
    }

    /// Returns when the state of the last reply began; zero before the first one.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the number of the last charge that this client knows of.
    pub(super) fn charges(&self) -> u64 {
        self.charges
    }

    /// Returns true if a reply is of another state than the last one.
    pub(super) fn is_lost(&self, epoch: u64) -> bool {
        self.epoch > 0 && self.epoch != epoch
    }

    /// Returns true if a refund, a debt or a level to raise waits for a batch.
    pub(super) fn is_pending(&self) -> bool {
        !self.refunds.is_empty()
            || self.has_hold()
            || self.has_limit_hold()
            || self.buckets.iter().any(|account| {
                account.debt > 0
                    || account.taken.all > 0
                    || account.raise.is_some()
                    || account.pace != PaceChange::default()
            })
    }

    /// Notes that a limit was reset, and so much of its level is `gone`. Forgets what was said of
    /// the window before.
    pub(super) fn turn(&mut self, limit: usize, gone: u64) {
        let account = &mut self.buckets[limit];
        account.level = account.level.saturating_sub(gone);
        (account.raise, account.raising, account.sum) = (None, None, None);
        for taken in [&mut account.taken, &mut account.taking] {
            (taken.all, taken.least) = (0, Leaking::default());
        }
    }

    /// Forgets what was charged and given back, because the buckets become as new. Sends that with
    /// the next batch.
    pub(super) fn reset(&mut self) {
        self.refunds.clear();
        // Nor is it sent again if the batch in flight is given up.
        self.sent.clear();
        (self.went_alone, self.went_before) = (None, None);
        for account in &mut self.buckets {
            let Account { sum, idle, .. } = *account;
            *account = Account { sum, idle, ..Account::default() };
        }
        self.hold = Some(HoldChange::end(Ends::Everything));
    }
}

/// Returns by how much one sum of weights is larger than another one, modulo [`MOST`]. Less than
/// zero if the first one is of an older copy of the state.
fn difference(sum: u64, other: u64) -> i64 {
    let ahead = sum.wrapping_sub(other) % MOST;
    if ahead < MOST / 2 { ahead.cast_signed() } else { ahead.cast_signed() - MOST.cast_signed() }
}
