//! What happens between batches: refunds, debts, levels to raise, and changes of the pace.
//!
//! Each is added to what waits for the next batch. What waits stays small: the refunds of one
//! charge become one, and so do the debts of one limit.

use super::{Account, Ledger, Went};
use crate::backend::redis::changes::{Leaking, PaceChange, Taken};
use crate::backend::redis::scale::MOST;

impl Ledger {
    /// Adds a refund of `weight` of a charge in one limit: of an admitted call, or else of a slot.
    pub(in crate::backend::redis) fn refund(
        &mut self,
        limit: usize,
        weight: u64,
        charge: u64,
        is_admitted: bool,
    ) {
        if weight > 0 {
            let limits = self.buckets.len();
            let weights = self.refunds.entry((charge, is_admitted)).or_insert_with(|| vec![0; limits].into());
            // A charge is at most that large, and so are its refunds.
            weights[limit] = (weights[limit] + weight).min(MOST);
            let refund = &mut self.buckets[limit].refund;
            *refund = refund.saturating_add(weight);
        }
    }

    /// Adds a debt in one limit: what a call used beyond its charge.
    pub(in crate::backend::redis) fn owe(&mut self, limit: usize, weight: u64) {
        let account = &mut self.buckets[limit];
        account.debt = account.debt.saturating_add(weight).min(MOST);
    }

    /// Notes what this process took from each limit while it decided alone, and the least of it to
    /// owe. It had the last reply at `seen_at` on its own clock, and went alone at `since`.
    pub(in crate::backend::redis) fn took(&mut self, taken: &[(u64, Leaking)], seen_at: u64, since: u64) {
        if taken.iter().all(|(all, _)| *all == 0) {
            return;
        }
        for (account, (all, least)) in self.buckets.iter_mut().zip(taken) {
            let full_until = seen_at.saturating_add(account.level).max(since);
            let idle = account.taking.idle_left_of(account.idle);
            let taken = Taken { all: *all, least: *least, idle, full_until };
            match self.went_alone {
                Some(_) => account.taken.add(taken),
                None => account.taken = taken,
            }
        }
        self.went_alone.get_or_insert(Went { at: since, epoch: self.epoch });
    }

    /// Notes that a response asks for a level of at least `level` at `now` in one limit. It leaks
    /// from then on: of a limit that resets, that is never.
    pub(in crate::backend::redis) fn raise(&mut self, limit: usize, level: u64, now: u64) {
        self.buckets[limit].raise = Some(Leaking { level: level.max(self.raised(limit, now)), from: now });
    }

    /// Returns the level at `now` that responses ask for in one limit, and that no reply contains
    /// yet; zero if they ask for none.
    pub(in crate::backend::redis) fn raised(&self, limit: usize, now: u64) -> u64 {
        let Account { raise, raising, .. } = self.buckets[limit];
        at(raise, now).max(at(raising, now))
    }

    /// Notes a change of the pace of one limit.
    pub(in crate::backend::redis) fn change_pace(&mut self, limit: usize, change: PaceChange) {
        self.buckets[limit].pace.add(change);
    }

    /// Returns the change of the pace of one limit that waits for a batch.
    pub(in crate::backend::redis) fn pace_change(&self, limit: usize) -> PaceChange {
        self.buckets[limit].pace
    }
}

/// Returns what is left at `now` of the level that was asked for.
pub(super) fn at(asked: Option<Leaking>, now: u64) -> u64 {
    asked.map_or(0, |asked| asked.at(now))
}
