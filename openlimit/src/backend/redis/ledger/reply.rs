//! The end of a batch in flight: the server has decided it, has not decided it, or is silent.
//!
//! If it is silent, it may have decided or not. Only what is safe to apply twice is sent again
//! then.

use std::mem;

use super::{Account, Ledger, difference};
use crate::backend::redis::changes::{Leaking, PaceChange, Taken};
use crate::backend::redis::scale::MOST;
use crate::backend::redis::wire::{BatchReply, BucketReply};

impl Ledger {
    /// Returns true if other clients have given back more than `least` of some bucket since the
    /// last reply. Then there is less in it than what was in it before and was granted since, less
    /// what leaked and what this client gave back.
    pub(in crate::backend::redis) fn others_gave(&self, reply: &BatchReply, least: u64) -> bool {
        let leaked = reply.decided.saturating_sub(self.seen_at).saturating_mul(1_000);
        let gave = |(account, bucket): (&Account, &BucketReply)| {
            let granted = difference(bucket.sum, account.sum.unwrap_or(bucket.sum));
            let filled = account.level.saturating_add_signed(granted).saturating_sub(leaked);
            filled > bucket.level.saturating_add(bucket.given).saturating_add(least)
        };
        self.epoch == reply.epoch && self.buckets.iter().zip(&reply.buckets).any(gave)
    }

    /// Applies the reply to a batch. Returns the numbers of the charges that were granted, in
    /// order.
    pub(in crate::backend::redis) fn apply(
        &mut self,
        reply: &BatchReply,
    ) -> impl Iterator<Item = u64> + use<> {
        let is_same = self.epoch == reply.epoch;
        for (account, bucket) in self.buckets.iter_mut().zip(&reply.buckets) {
            if let (Some(Leaking { level, .. }), Some(sum), true) = (&mut account.raise, account.sum, is_same)
            {
                *level = level.saturating_add_signed(difference(bucket.sum, sum)).min(MOST);
            }
            (account.level, account.idle, account.sum) = (bucket.level, bucket.idle, Some(bucket.sum));
            (account.owing, account.taking, account.refunding) = (0, Taken::default(), 0);
            (account.raising, account.pacing, account.shutting) = (None, PaceChange::default(), 0);
        }
        self.went_before = None;
        self.holding = None;
        self.sent.clear();
        self.replied = self.batch;
        (self.seen_at, self.epoch, self.charges) = (reply.decided, reply.epoch, reply.charges);
        reply.charges_before() + 1..=reply.charges
    }

    /// Takes the batch in flight back, which the server has not decided. Sends all of it again.
    pub(in crate::backend::redis) fn take_back(&mut self) {
        for ((charge, is_admitted), weights) in mem::take(&mut self.sent) {
            for (limit, weight) in weights.iter().enumerate() {
                self.refund(limit, *weight, charge, is_admitted);
            }
        }
        self.give_up();
    }

    /// Gives up the batch in flight, which the server may have decided or not. Sends its debts
    /// and its change of the hold again, since that is safe, and drops its refunds.
    pub(in crate::backend::redis) fn give_up(&mut self) {
        self.sent.clear();
        let has_ended = self.ends_limit_holds();
        if let Some(before) = self.holding.take() {
            self.hold = Some(self.hold.map_or(before, |later| before.then(later)));
        }
        for account in &mut self.buckets {
            account.debt = account.debt.saturating_add(mem::take(&mut account.owing)).min(MOST);
            account.raise = account.raise.or(account.raising.take());
            let later = mem::replace(&mut account.pace, mem::take(&mut account.pacing));
            account.pace.add(later);
            let before = mem::take(&mut account.shutting);
            account.shut = if has_ended { account.shut } else { account.shut.max(before) };
            account.refunding = 0;
        }
        if let Some(before) = self.went_before.take() {
            let later = self.went_alone.replace(before);
            for account in &mut self.buckets {
                let after = mem::replace(&mut account.taken, mem::take(&mut account.taking));
                if later.is_some() {
                    account.taken.add(after);
                }
            }
        }
    }
}
