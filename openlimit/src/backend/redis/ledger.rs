//! `Ledger`: the refunds and debts that the server does not know yet, and the levels that bound the
//! refunds.
//!
//! # What bounds a refund
//!
//! A call was charged `w` and used less. Which part of `w` may be given back? The part that would
//! be missing from the bucket now if the call had never taken it. Compare two histories of one
//! bucket, with and without that part, where all later calls depart at the same moments. Just after
//! the charge the levels differ by `w`. Both leak alike. The difference only shrinks where the
//! lower level would fall below zero. So at a later charge, before which the level was `L`, at most
//! `L` of the difference is left:
//!
//! ```text
//! refund <= the lowest level just before any later charge, and <= the level now
//! ```
//!
//! "Just before" means as of the moment that the later call was granted for, which may lie ahead.
//!
//! Example, in ms: a call puts 100 into an empty bucket. 60 later the level is 40, and another call
//! puts in 50: 90. Now the first call turns out to have used 20, and 80 come back. Without them the
//! bucket would have been empty after 20, the second call would have filled it to 50, and 50 is
//! what should be in it. So 40 may be given back, which is the level just before the second charge.
//! The other 40 have leaked. To give back more would erase a part of the second charge.
//!
//! # How the levels are known
//!
//! A client knows the levels before its own charges: a reply says how full a bucket is after the
//! last one, and [`levels_before`] works backwards from there. For charges of others the script
//! replies with a lower bound, `low`, since this client's last reply. It has two such bounds,
//! because neither is good for every limit, and sends the higher one; `decide.lua` derives both:
//!
//! * The minima of the levels before recent charges. They are exact for the last few batches, and
//!   the ones to use where a bucket fills and drains within seconds.
//! * The level that the client saw, less what can have leaked since. That is nearly exact for a
//!   limit whose burst lasts hours, of which little leaks between two batches.
//!
//! All bounds are from below. So a refund may be too small, never too large. `refunds.rs` keeps
//! them.
//!
//! # The last call, taken out
//!
//! A large call may be granted far ahead, beyond the look-ahead. Just before it the level is low,
//! often zero, so nearly nothing of earlier charges can be given back once it is granted. But as
//! long as no other call was granted after it, it can be taken out of the buckets as if it had
//! never been there, and be granted anew. So the ledger keeps two accounts of refunds from then on:
//! one if the last call stays, one (`without`) if it is taken out. The next batch takes it out if a
//! refund is waiting that only the second account allows, or if its own call no longer wants it.
//! The reply tells which account is valid: it is the second one if the client was `alone`.
//!
//! Example: a bucket of 180 is at 178. A call of 100 is granted for 98 ms from now, when the level
//! will be 80. Then the call before it gives back 160. The first account allows 80, the second 160.
//! Taken out, the level is 18, and the large call departs at once.

use std::mem;

use super::refunds::Refunds;
use super::scale::{MOST, Scale};
use super::wire::{BatchReply, BucketReply, Writer};

/// The ledger of one limiter.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    pub(super) buckets: Box<[Known]>,
    /// The sequence number of the last batch.
    batch: u64,
    /// The number of the last charge. All charges of others between two replies share a number.
    pub(super) charges: u64,
    /// When the last reply was decided, in microseconds of the server's clock.
    seen_at: u64,
    /// When the state of the last reply began; zero before the first reply.
    epoch: u64,
    /// The number of batches that it had decided.
    count: u64,
    /// For how many microseconds it had leaked.
    run: u64,
    /// The last charge, while it can be taken out.
    pub(super) removable: Option<u64>,
    /// True if that charge has to be taken out because no call wants it.
    unwanted: bool,
    /// True if the batch in flight takes it out, provided that no other call was granted after it.
    pub(super) taking_out: bool,
}

/// The client's view of one bucket, in nanoseconds of its rate.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The level in the last reply.
    level: u64,
    /// The sum of all refunds of all clients, in the last reply.
    given: u64,
    refunds: Refunds,
    /// The second account, while the last charge can be taken out.
    without: Option<Refunds>,
    /// The part of the level that goes when the last charge is taken out: its weight, and what it
    /// kept from leaking.
    pub(super) put_in: u64,
    /// The debt that no batch has taken along yet.
    debt: u64,
    /// The debt in the batch in flight.
    owing: u64,
}

impl Ledger {
    /// Creates the ledger of a client that has had no reply yet.
    pub(super) fn new(limits: usize) -> Self {
        Self {
            buckets: (0..limits).map(|_| Known::default()).collect(),
            batch: 0,
            charges: 0,
            seen_at: 0,
            epoch: 0,
            count: 0,
            run: 0,
            removable: None,
            unwanted: false,
            taking_out: false,
        }
    }

    /// Returns the level in the last reply, corrected by the refunds and debts since.
    pub(super) fn level(&self, limit: usize) -> u64 {
        let known = &self.buckets[limit];
        (known.level + known.debt).saturating_sub(known.refunds.unconfirmed())
    }

    /// Returns true if a refund or a debt waits for a batch.
    pub(super) fn is_pending(&self) -> bool {
        self.unwanted
            || self.buckets.iter().any(|known| !known.refunds.is_empty() || known.debt > 0)
            || self.is_worth_moving()
    }

    /// Returns true if the second account has a refund, for which the last call may go sooner.
    fn is_worth_moving(&self) -> bool {
        self.buckets.iter().any(|known| known.without.as_ref().is_some_and(|without| !without.is_empty()))
    }

    /// Returns true if a charge can be taken out, and may be granted for an earlier moment then.
    pub(super) fn can_move(&self, charge: u64) -> bool {
        self.removable == Some(charge) && self.is_worth_moving()
    }

    /// Adds a refund of `weight` of a charge in one limit, as far as it is still in the bucket.
    /// Returns how far that is, in each of the two accounts.
    pub(super) fn refund(&mut self, limit: usize, weight: u64, charge: u64) -> [u64; 2] {
        let known = &mut self.buckets[limit];
        let given = known.refunds.give(charge, weight);
        let without = match &mut known.without {
            // In the second account that charge does not exist.
            Some(_) if self.removable == Some(charge) => 0,
            Some(without) => without.give(charge, weight),
            None => given,
        };
        self.unwanted |= self.removable == Some(charge);
        [given, without]
    }

    /// Notes that a call departs for a charge, which therefore stays.
    pub(super) fn mark_used(&mut self, charge: u64) {
        if self.removable == Some(charge) {
            self.keep_last();
        }
    }

    /// Adds a debt in one limit: what a call used beyond its charge.
    pub(super) fn owe(&mut self, limit: usize, weight: u64) {
        let known = &mut self.buckets[limit];
        known.debt = known.debt.saturating_add(weight).min(MOST);
    }

    /// Begins a batch: writes its number, and which state this client saw last.
    pub(super) fn begin(&mut self, batch: &mut Writer) {
        self.batch += 1;
        for number in [self.batch, self.seen_at, self.epoch, self.count, self.run] {
            batch.number(number);
        }
    }

    /// Writes the refunds and debts of each bucket. Takes out the last charge if no call wants it,
    /// or if it `moves`.
    pub(super) fn write(&mut self, scales: &[Scale], moves: bool, batch: &mut Writer) {
        self.taking_out = moves || self.unwanted;
        for (known, scale) in self.buckets.iter_mut().zip(scales) {
            let (refund, room) = known.refunds.send();
            let (put_in, (refund_without, room_without)) = match &mut known.without {
                Some(without) if self.taking_out => (known.put_in, without.send()),
                Some(without) => {
                    without.sent_elsewhere(refund);
                    (0, (refund, room))
                }
                None => (0, (refund, room)),
            };
            for number in [known.level, known.given, refund, room, put_in, refund_without, room_without] {
                batch.number(number);
            }
            for number in [known.debt, scale.fit, scale.burst] {
                batch.number(number);
            }
            known.owing = mem::take(&mut known.debt);
        }
    }

    /// Gives up the batch in flight, which the server may have decided or not. Sends its debts
    /// again, since charging them twice is safe, and drops its refunds.
    pub(super) fn give_up(&mut self) {
        self.taking_out = false;
        self.keep_last();
        for known in &mut self.buckets {
            known.debt = known.debt.saturating_add(known.owing).min(MOST);
            known.owing = 0;
            known.refunds.confirmed();
        }
    }

    /// Applies the reply to a batch that asked for calls of these weights. Returns the numbers of
    /// the charges that were granted. If the last one lies beyond the look-ahead, it can be taken
    /// out later.
    pub(super) fn apply(&mut self, reply: &BatchReply, weights: &[&[u64]], look_ahead: u64) -> Vec<u64> {
        let others = self.charges + 1;
        let granted = reply.calls.iter().zip(weights).filter(|(call, _)| call.granted);
        let granted: Vec<_> = granted.map(|(call, weights)| (call.wait, *weights)).collect();
        let is_out = mem::take(&mut self.taking_out) && reply.alone;
        if is_out {
            for known in &mut self.buckets {
                if let Some(without) = known.without.take() {
                    known.refunds = without;
                }
            }
        }
        if is_out || !reply.alone || !granted.is_empty() {
            self.keep_last();
        }
        let far = granted.last().filter(|(wait, _)| *wait > look_ahead);
        for (limit, (known, bucket)) in self.buckets.iter_mut().zip(&reply.buckets).enumerate() {
            for refunds in [Some(&mut known.refunds), known.without.as_mut()].into_iter().flatten() {
                refunds.confirmed();
                refunds.others_gave(bucket.others_gave);
                // After a loss of the state nothing is known of its charges, so the bound is zero.
                refunds.charged(others, if reply.epoch == self.epoch { bucket.low } else { 0 });
            }
            for (call, before) in levels_before(*bucket, &granted, limit).into_iter().enumerate() {
                if call + 1 == granted.len()
                    && let Some((_, weights)) = far
                {
                    known.without = Some(known.refunds.clone());
                    known.put_in = weights[limit] + bucket.raised;
                }
                if let Some(before) = before {
                    known.refunds.charged(others + 1 + call as u64, before);
                }
            }
            (known.level, known.given, known.owing) = (bucket.level, bucket.given, 0);
        }
        (self.seen_at, self.epoch) = (reply.decided, reply.epoch);
        (self.count, self.run) = (reply.count, reply.run);
        self.charges = others + granted.len() as u64;
        self.removable = far.map(|_| self.charges).or(self.removable);
        (others + 1..=self.charges).collect()
    }

    /// Notes that the last charge cannot be taken out any more.
    fn keep_last(&mut self) {
        (self.removable, self.unwanted) = (None, false);
        for known in &mut self.buckets {
            known.without = None;
        }
    }
}

/// Returns the level of one bucket just before each granted call, as of the moment that the call
/// was granted for. `None` for calls that take nothing from the bucket.
///
/// Works backwards from the level after the last call. Example: the level is 280, and the last call
/// weighs 180 and was granted for 100. Just before it the level, as seen from now, was 100, which
/// is 0 as of its moment. If the script raised the level by 40 for it, the level before that was
/// 60.
fn levels_before(bucket: BucketReply, granted: &[(u64, &[u64])], limit: usize) -> Vec<Option<u64>> {
    let BucketReply { mut level, mut raised, .. } = bucket;
    let mut levels_before = vec![None; granted.len()];
    for ((wait, weights), before) in granted.iter().zip(&mut levels_before).rev() {
        if weights[limit] > 0 {
            level = level.saturating_sub(weights[limit]);
            *before = Some(level.saturating_sub(*wait));
            // The last call may have raised the level. That part was not there for the calls before
            // it, and does not stay if it is taken out. An earlier call that raised the level found
            // the bucket empty, so the bound of all calls before that one is zero in any case.
            level = level.saturating_sub(mem::take(&mut raised));
        }
    }
    levels_before
}
