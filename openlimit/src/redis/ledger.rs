//! `Ledger`: what a client knows of the shared buckets, and what it has to tell them.
//!
//! What a call took may be given back only as far as the bucket has held it all the time since (see `Bucket::refund`). Others
//! fill and empty a shared bucket too, so the client does not know how full it was between two replies. But it leaks a
//! nanosecond in each, and what others gave back is counted, so after each reply it knows a level below which the bucket
//! cannot have been meanwhile. That level stands in for the true one: a refund may be too small, and never too large.

use super::scale::{MOST, Scale};
use super::wire::{Reply, Writer};
use crate::bucket::LowWater;

#[derive(Debug)]
pub(super) struct Ledger {
    accounts: Box<[Account]>,
    /// The number of the last batch. A charge is numbered by the batch that it was granted in.
    batch: u64,
    /// When the buckets were seen last, in microseconds of the server's clock.
    seen_at: u64,
    /// Which state that was; zero before the first reply.
    epoch: u64,
    count: u64,
}

/// What is known of one bucket. In nanoseconds of its rate.
#[derive(Debug)]
struct Account {
    /// How full it was when it was seen.
    level: u64,
    /// What it had been given back by then, by everyone.
    given: u64,
    /// How empty it can have been since each charge.
    low: LowWater<u64>,
    /// What is to be given back.
    refund: u64,
    /// The same in the batch that is under way.
    refunding: u64,
    /// What was used and is not in the bucket.
    debt: u64,
}

impl Ledger {
    pub(super) fn new(limits: usize) -> Self {
        let account =
            || Account { level: 0, given: 0, low: LowWater::default(), refund: 0, refunding: 0, debt: 0 };
        let accounts = (0..limits).map(|_| account()).collect();
        Self { accounts, batch: 0, seen_at: 0, epoch: 0, count: 0 }
    }

    pub(super) fn batch(&self) -> u64 {
        self.batch
    }

    /// How full the bucket of a limit was when it was seen.
    pub(super) fn level(&self, limit: usize) -> u64 {
        self.accounts[limit].level
    }

    /// Whether there is something to tell.
    pub(super) fn is_open(&self) -> bool {
        self.accounts.iter().any(|account| account.refund > 0 || account.debt > 0)
    }

    /// Gives back `weight` of what a charge put into the bucket of a limit, as far as it is still there.
    pub(super) fn refund(&mut self, limit: usize, weight: u64, charge: u64) {
        let account = &mut self.accounts[limit];
        let weight = weight.min(account.low.since(charge));
        account.low.refund(charge, weight);
        account.refund = account.refund.saturating_add(weight).min(MOST);
    }

    /// Adds to the bucket of a limit what was used beyond what had been granted.
    pub(super) fn owe(&mut self, limit: usize, weight: u64) {
        let account = &mut self.accounts[limit];
        account.debt = account.debt.saturating_add(weight).min(MOST);
    }

    /// Begins a batch: its number, what was seen last, and what the calls of it are to be held against.
    pub(super) fn begin(&mut self, batch: &mut Writer) {
        self.batch += 1;
        for number in [self.batch, self.seen_at, self.epoch, self.count] {
            batch.number(number);
        }
    }

    /// Writes what there is to tell each bucket.
    pub(super) fn tell(&mut self, scales: &[Scale], batch: &mut Writer) {
        for (account, scale) in self.accounts.iter_mut().zip(scales) {
            for number in [account.level, account.given, account.refund, account.debt, scale.fit, scale.burst]
            {
                batch.number(number);
            }
            account.refunding = account.refund;
            (account.refund, account.debt) = (0, 0);
        }
    }

    /// Takes note of what the buckets were when the batch was decided.
    pub(super) fn told(&mut self, reply: &Reply) {
        let leaked = reply.decided.saturating_sub(self.seen_at).saturating_mul(1_000);
        // Of a state that was lost nothing is known.
        let same = reply.epoch == self.epoch;
        for (account, &(level, given)) in self.accounts.iter_mut().zip(&reply.buckets) {
            let gave = given.saturating_sub(account.given);
            account.low.refund(0, gave.saturating_sub(account.refunding));
            let lowest = if same { account.level.saturating_sub(leaked).saturating_sub(gave) } else { 0 };
            account.low.record(self.batch, lowest);
            (account.level, account.given, account.refunding) = (level, given, 0);
        }
        (self.seen_at, self.epoch, self.count) = (reply.decided, reply.epoch, reply.count);
    }
}
