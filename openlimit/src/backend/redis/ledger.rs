//! `Ledger`: what a client knows of the shared buckets, and what it has to tell them.
//!
//! What a call took may be given back only as far as the bucket has held it all the time since (see `Bucket::refund`). So the
//! script says with each reply how empty a bucket can have been, since the one before, just before others' charges, as of the moments
//! they were granted for. It knows that in two ways, each from below, and takes the higher: by the minima that it keeps, which are
//! exact for the latest charges; and by how full the bucket was then, and what can have leaked since, which is all but exact for a
//! limit whose burst lasts hours. Its own charges a client knows itself.
//!
//! The last call of all may have been granted far ahead. As long as nobody was granted anything after it, it can be taken out
//! of the buckets as if it had never been there, and be granted anew: so it goes sooner when something is given back. What may be
//! given back then is counted beside what may be otherwise, until it is known which of the two it is.

use std::mem;

use super::refunds::Refunds;
use super::scale::{MOST, Scale};
use super::wire::{BatchReply, BucketReply, Writer};

#[derive(Debug)]
pub(super) struct Ledger {
    buckets: Box<[Known]>,
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
    /// The charge that can be taken out, if there is one.
    last: Option<u64>,
    /// Whether that is to be, in any case: nobody wants it.
    unwanted: bool,
    /// Whether the batch under way takes it out, if nobody was granted anything after it.
    taking_out: bool,
    /// By limit and charge, what is to be given back; and what would be if the last charge had never been.
    #[cfg(test)]
    pub(super) asked: Vec<(usize, u64, [u64; 2])>,
}

/// What is known of one bucket. In nanoseconds of its rate.
#[derive(Debug, Default)]
struct Known {
    /// How full it was when it was seen.
    level: u64,
    /// What it had been given back by then, by everyone.
    given: u64,
    refunds: Refunds,
    /// The same if the last charge had never been, as long as that can be taken out.
    without: Option<Refunds>,
    /// What the last charge put in: what it weighs, and what it kept from leaking.
    put_in: u64,
    /// What was used and is not in the bucket.
    debt: u64,
    /// The same in the batch that is under way.
    owing: u64,
}

impl Ledger {
    pub(super) fn new(limits: usize) -> Self {
        Self {
            buckets: (0..limits).map(|_| Known::default()).collect(),
            batch: 0,
            charges: 0,
            seen_at: 0,
            epoch: 0,
            count: 0,
            run: 0,
            last: None,
            unwanted: false,
            taking_out: false,
            #[cfg(test)]
            asked: Vec::new(),
        }
    }

    /// How full the bucket of a limit was when it was seen, with what it has not been told.
    pub(super) fn level(&self, limit: usize) -> u64 {
        let account = &self.buckets[limit];
        (account.level + account.debt).saturating_sub(account.refunds.given())
    }

    /// Whether there is something to tell.
    pub(super) fn is_open(&self) -> bool {
        self.unwanted
            || self.buckets.iter().any(|account| !account.refunds.is_empty() || account.debt > 0)
            || self.is_worth_moving()
    }

    /// Whether the last charge would have gone sooner, for what is to be given back.
    fn is_worth_moving(&self) -> bool {
        self.buckets.iter().any(|account| account.without.as_ref().is_some_and(|without| !without.is_empty()))
    }

    /// Whether a charge can be taken out, and is worth it.
    pub(super) fn can_move(&self, charge: u64) -> bool {
        self.last == Some(charge) && self.is_worth_moving()
    }

    /// Gives back `weight` of what a charge put into the bucket of a limit, as far as it is still there.
    pub(super) fn refund(&mut self, limit: usize, weight: u64, charge: u64) {
        let account = &mut self.buckets[limit];
        let given = account.refunds.give(charge, weight);
        let without = match &mut account.without {
            Some(_) if self.last == Some(charge) => 0,
            Some(without) => without.give(charge, weight),
            None => given,
        };
        self.unwanted |= self.last == Some(charge);
        #[cfg(test)]
        self.asked.push((limit, charge, [given, without]));
        let _ = (given, without);
    }

    /// A charge is used, and stays.
    pub(super) fn used(&mut self, charge: u64) {
        if self.last == Some(charge) {
            self.keep_last();
        }
    }

    /// Adds to the bucket of a limit what was used beyond what had been granted.
    pub(super) fn owe(&mut self, limit: usize, weight: u64) {
        let account = &mut self.buckets[limit];
        account.debt = account.debt.saturating_add(weight).min(MOST);
    }

    /// Begins a batch: its number, what was seen last, and what the calls of it are to be held against.
    pub(super) fn begin(&mut self, batch: &mut Writer) {
        self.batch += 1;
        for number in [self.batch, self.seen_at, self.epoch, self.count, self.run] {
            batch.number(number);
        }
    }

    /// Writes what there is to tell each bucket. The last charge is taken out if nobody wants it, or if it `moves`.
    pub(super) fn write(&mut self, scales: &[Scale], moves: bool, batch: &mut Writer) {
        self.taking_out = moves || self.unwanted;
        for (account, scale) in self.buckets.iter_mut().zip(scales) {
            let (refund, room) = account.refunds.send();
            let (last, (refund_without, room_without)) = match &mut account.without {
                Some(without) if self.taking_out => (account.put_in, without.send()),
                Some(without) => {
                    without.sent_already(refund);
                    (0, (refund, room))
                }
                None => (0, (refund, room)),
            };
            for number in [account.level, account.given, refund, room, last, refund_without, room_without] {
                batch.number(number);
            }
            for number in [account.debt, scale.fit, scale.burst] {
                batch.number(number);
            }
            account.owing = mem::take(&mut account.debt);
        }
    }

    /// The batch under way is given up, and may have been heard: what it was to say is owed is said again, as twice is better
    /// than never; what it was to give back is not.
    pub(super) fn give_up(&mut self) {
        self.taking_out = false;
        self.keep_last();
        for account in &mut self.buckets {
            account.debt = account.debt.saturating_add(account.owing).min(MOST);
            account.owing = 0;
            account.refunds.arrived();
        }
    }

    /// Takes note of a reply to a batch that asked for calls of these weights, and numbers the charges of those that were granted.
    /// The last one can be taken out again if it lies beyond the look-ahead.
    pub(super) fn apply(&mut self, reply: &BatchReply, weights: &[&[u64]], look_ahead: u64) -> Vec<u64> {
        let others = self.charges + 1;
        let granted = reply.calls.iter().zip(weights).filter(|(call, _)| call.granted);
        let granted: Vec<_> = granted.map(|(call, weights)| (call.wait, *weights)).collect();
        let is_out = mem::take(&mut self.taking_out) && reply.alone;
        if is_out {
            for account in &mut self.buckets {
                if let Some(without) = account.without.take() {
                    account.refunds = without;
                }
            }
            #[cfg(test)]
            self.asked.iter_mut().for_each(|(.., weights)| weights[0] = weights[1]);
        }
        if is_out || !reply.alone || !granted.is_empty() {
            self.keep_last();
        }
        let far = granted.last().filter(|(wait, _)| *wait > look_ahead);
        for (limit, (account, bucket)) in self.buckets.iter_mut().zip(&reply.buckets).enumerate() {
            for refunds in [Some(&mut account.refunds), account.without.as_mut()].into_iter().flatten() {
                refunds.arrived();
                refunds.others_gave(bucket.others_gave);
                // Of a state that was lost nothing is known.
                refunds.charged(others, if reply.epoch == self.epoch { bucket.low } else { 0 });
            }
            for (call, before) in befores(*bucket, &granted, limit).into_iter().enumerate() {
                if call + 1 == granted.len()
                    && let Some((_, weights)) = far
                {
                    account.without = Some(account.refunds.clone());
                    account.put_in = weights[limit] + bucket.raised;
                }
                if let Some(before) = before {
                    account.refunds.charged(others + 1 + call as u64, before);
                }
            }
            (account.level, account.given, account.owing) = (bucket.level, bucket.given, 0);
        }
        #[cfg(test)]
        if far.is_some() {
            self.asked.iter_mut().for_each(|(.., weights)| weights[1] = weights[0]);
        }
        (self.seen_at, self.epoch) = (reply.decided, reply.epoch);
        (self.count, self.run) = (reply.count, reply.run);
        self.charges = others + granted.len() as u64;
        self.last = far.map(|_| self.charges).or(self.last);
        (others + 1..=self.charges).collect()
    }

    /// What the batch under way takes out.
    #[cfg(test)]
    pub(super) fn taken_out(&self) -> Option<(u64, Vec<u64>)> {
        let last = self.last.filter(|_| self.taking_out)?;
        Some((last, self.buckets.iter().map(|account| account.put_in).collect()))
    }

    #[cfg(test)]
    pub(super) fn can_take_out(&self) -> bool {
        self.last.is_some()
    }

    /// The last charge cannot be taken out any more.
    fn keep_last(&mut self) {
        (self.last, self.unwanted) = (None, false);
        for account in &mut self.buckets {
            account.without = None;
        }
    }
}

/// How full the bucket of a limit was just before each call, as of the moment it was granted for, worked out from how full it is
/// after the last one. Nothing for calls that take nothing of it.
fn befores(bucket: BucketReply, granted: &[(u64, &[u64])], limit: usize) -> Vec<Option<u64>> {
    let BucketReply { mut level, mut raised, .. } = bucket;
    let mut befores = vec![None; granted.len()];
    for ((wait, weights), before) in granted.iter().zip(&mut befores).rev() {
        if weights[limit] > 0 {
            level = level.saturating_sub(weights[limit]);
            *before = Some(level.saturating_sub(*wait));
            // What the last one kept from leaking was not there before it, which matters if that is taken out. Where others kept
            // something from leaking the bucket was empty: for the calls before them it is zero in any case.
            level = level.saturating_sub(mem::take(&mut raised));
        }
    }
    befores
}
