//! `Ledger`: what a client knows of the shared buckets, and what it has to tell them.
//!
//! What a call took may be given back only as far as the bucket has held it all the time since (see `Bucket::refund`). So the
//! script says with each reply how empty a bucket can have been, since the one before, just before others' charges, as of the moments
//! they were granted for. It knows that in two ways, each from below, and takes the higher: by the minima that it keeps, which are
//! exact for the latest charges; and by how full the bucket was then, and what can have leaked since, which is all but exact for a
//! limit whose burst lasts hours. Its own charges a client knows itself.

use super::scale::{MOST, Scale};
use super::wire::{Bucket, Reply, Writer};
use crate::bucket::LowWater;

#[derive(Debug)]
pub(super) struct Ledger {
    accounts: Box<[Account]>,
    /// The number of the last batch.
    batch: u64,
    /// The number of the last charge, own or others'.
    pub(super) charges: u64,
    /// When the buckets were seen last, in microseconds of the server's clock.
    seen_at: u64,
    /// Which state that was; zero before the first reply.
    epoch: u64,
    count: u64,
    run: u64,
    /// What is given back of which charge, by limit, in the next batch.
    #[cfg(test)]
    pub(super) asked: Vec<(usize, u64, u64)>,
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
    /// The same in the batch that is under way.
    owing: u64,
}

impl Ledger {
    pub(super) fn new(limits: usize) -> Self {
        let account = || Account {
            level: 0,
            given: 0,
            low: LowWater::default(),
            refund: 0,
            refunding: 0,
            debt: 0,
            owing: 0,
        };
        let accounts = (0..limits).map(|_| account()).collect();
        Self {
            accounts,
            batch: 0,
            charges: 0,
            seen_at: 0,
            epoch: 0,
            count: 0,
            run: 0,
            #[cfg(test)]
            asked: Vec::new(),
        }
    }

    /// How full the bucket of a limit was when it was seen, with what it has not been told.
    pub(super) fn level(&self, limit: usize) -> u64 {
        let account = &self.accounts[limit];
        (account.level + account.debt).saturating_sub(account.refund + account.refunding)
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
        #[cfg(test)]
        self.asked.push((limit, charge, weight));
    }

    /// Adds to the bucket of a limit what was used beyond what had been granted.
    pub(super) fn owe(&mut self, limit: usize, weight: u64) {
        let account = &mut self.accounts[limit];
        account.debt = account.debt.saturating_add(weight).min(MOST);
    }

    /// Begins a batch: its number, what was seen last, and what the calls of it are to be held against.
    pub(super) fn begin(&mut self, batch: &mut Writer) {
        self.batch += 1;
        for number in [self.batch, self.seen_at, self.epoch, self.count, self.run] {
            batch.number(number);
        }
    }

    /// Writes what there is to tell each bucket.
    pub(super) fn tell(&mut self, scales: &[Scale], batch: &mut Writer) {
        for (account, scale) in self.accounts.iter_mut().zip(scales) {
            let Account { level, given, refund, debt, .. } = *account;
            for number in [level, given, refund, debt, scale.fit, scale.burst] {
                batch.number(number);
            }
            (account.refunding, account.owing) = (account.refund, account.debt);
            (account.refund, account.debt) = (0, 0);
        }
    }

    /// The batch under way is given up, and may have been heard: what it was to say is owed is said again, as twice is better
    /// than never; what it was to give back is not.
    pub(super) fn give_up(&mut self) {
        for account in &mut self.accounts {
            account.debt = account.debt.saturating_add(account.owing).min(MOST);
            (account.refunding, account.owing) = (0, 0);
        }
    }

    /// Takes note of a reply to a batch that asked for calls of these weights, and numbers the charges of those that were granted.
    pub(super) fn told(&mut self, reply: &Reply, weights: &[Vec<u64>]) -> Vec<u64> {
        self.charges += 1;
        let others = self.charges;
        let granted = reply.calls.iter().zip(weights).filter(|(call, _)| call.granted);
        let granted: Vec<_> = granted.map(|(call, weights)| (call.wait, weights)).collect();
        for (limit, account) in self.accounts.iter_mut().enumerate() {
            let Bucket { level, given, low } = reply.buckets[limit];
            let gave = given.saturating_sub(account.given);
            account.low.refund(0, gave.saturating_sub(account.refunding));
            // Of a state that was lost nothing is known.
            account.low.record(others, if reply.epoch == self.epoch { low } else { 0 });
            for (call, before) in befores(level, &granted, limit).into_iter().enumerate() {
                if let Some(before) = before {
                    account.low.record(others + 1 + call as u64, before);
                }
            }
            (account.level, account.given) = (level, given);
            (account.refunding, account.owing) = (0, 0);
        }
        (self.seen_at, self.epoch) = (reply.decided, reply.epoch);
        (self.count, self.run) = (reply.count, reply.run);
        self.charges += granted.len() as u64;
        (others + 1..=self.charges).collect()
    }
}

/// How full the bucket of a limit was just before each call, as of the moment it was granted for, worked out from how full it is
/// after the last one. Nothing for calls that take nothing of it.
fn befores(mut level: u64, granted: &[(u64, &Vec<u64>)], limit: usize) -> Vec<Option<u64>> {
    let mut befores = vec![None; granted.len()];
    for ((wait, weights), before) in granted.iter().zip(&mut befores).rev() {
        if weights[limit] > 0 {
            // Where it was empty by then it may have been so for long: for the calls before this one it is zero in any case.
            level = level.saturating_sub(weights[limit]);
            *before = Some(level.saturating_sub(*wait));
        }
    }
    befores
}
