//! `Ledger`: what a client knows of the shared buckets, and the refunds and debts that the server
//! does not know yet.
//!
//! # Refunds
//!
//! A refund names its charge by the server's number, and the server decides how much of it can be
//! given back. `decide.lua` says how. So a client only collects refunds, those of one charge
//! together, and sends them with the next batch. A batch takes along the latest [`MOST_REFUNDS`],
//! and the next one follows at once if more wait.
//!
//! # The last call, taken out
//!
//! A large call may be granted far ahead, beyond the look-ahead. Just before it the level is low,
//! often zero, so nearly nothing of earlier charges can be given back once it is granted. But as
//! long as no other charge follows it, it can be taken out of the buckets as if it had never been
//! there, and be granted anew. So a client notes that its last charge is *removable*. The next
//! batch takes it out if anything is given back or owed, or if its own call no longer wants it. The
//! reply says whether it was taken out.
//!
//! Example: a bucket of 180 is at 178. A call of 100 is granted for 98 ms from now, when the level
//! will be 80. Then the call before it gives back 160, of which 80 could be given back. With the
//! large call taken out, it is all of the 160. The level is 18, and the large call departs at once.

use std::collections::BTreeMap;
use std::mem;

use super::changes::{Ends, HoldChange, PaceChange, Taken};
use super::scale::{MOST, Scale};
use super::wire::{BatchReply, Writer};

/// The most refunds in a batch. Each takes the server about half a microsecond for each limit.
const MOST_REFUNDS: usize = 256;

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
    /// When this process went alone, while no reply has confirmed what it took then.
    went_alone: Option<Went>,
    /// A change of the hold that no batch has taken along yet.
    hold: Option<HoldChange>,
    /// The change in the batch in flight.
    holding: Option<HoldChange>,
    /// The client's last charge, while it can be taken out.
    removable: Option<u64>,
    /// True if that charge has to be taken out because no call wants it.
    unwanted: bool,
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
    raise: Option<(u64, u64)>,
    /// The same in the batch in flight.
    raising: Option<(u64, u64)>,
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

/// How times of the client are times of the server: the last reply arrived at `seen_at` on the
/// client's clock, and was decided up to a round trip (`trip`) before.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerClock {
    pub(super) seen_at: u64,
    pub(super) trip: u64,
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
            hold: None,
            holding: None,
            removable: None,
            unwanted: false,
        }
    }

    /// Returns the level in the last reply, corrected by the refunds and debts since. It is a lower
    /// bound, since not all of a refund may be given back.
    pub(super) fn level(&self, limit: usize) -> u64 {
        let Account { level, refund, refunding, debt, taken, .. } = self.buckets[limit];
        (level + debt + taken.least).saturating_sub(refund.saturating_add(refunding))
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

    /// Notes that a limit was reset, and so much of its level is `gone`. Forgets what was said of the
    /// window before.
    pub(super) fn turn(&mut self, limit: usize, gone: u64) {
        let account = &mut self.buckets[limit];
        account.level = account.level.saturating_sub(gone);
        (account.raise, account.raising, account.sum) = (None, None, None);
        (account.taken, account.taking) = (Taken::default(), Taken::default());
    }

    /// Returns the number of the last charge that this client knows of.
    pub(super) fn charges(&self) -> u64 {
        self.charges
    }

    /// Notes that a response asks for a level of at least `level` at `now` in one limit. It leaks
    /// from then on: of a limit that resets, that is never.
    pub(super) fn raise(&mut self, limit: usize, level: u64, now: u64) {
        self.buckets[limit].raise = Some((level.max(self.raised(limit, now)), now));
    }

    /// Returns the level at `now` that responses ask for in one limit, and that no reply contains
    /// yet; zero if they ask for none.
    pub(super) fn raised(&self, limit: usize, now: u64) -> u64 {
        let Account { raise, raising, .. } = self.buckets[limit];
        at(raise, now).max(at(raising, now))
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

    /// Notes a change of the pace of one limit.
    pub(super) fn change_pace(&mut self, limit: usize, change: PaceChange) {
        self.buckets[limit].pace.add(change);
    }

    /// Returns the change of the pace of one limit that waits for a batch.
    pub(super) fn pace_change(&self, limit: usize) -> PaceChange {
        self.buckets[limit].pace
    }

    /// Returns true if the batch in flight charges nothing but calls.
    pub(super) fn charges_calls_only(&self) -> bool {
        let is_plain =
            |account: &Account| account.owing == 0 && account.taking.all == 0 && account.raising.is_none();
        self.seen_at > 0 && self.buckets.iter().all(is_plain)
    }

    /// Returns true if a charge can be taken out, and may be granted for another moment then.
    pub(super) fn can_take_out(&self, charge: u64) -> bool {
        self.removable == Some(charge)
    }

    /// Adds a refund of `weight` of a charge in one limit: of an admitted call, or else of a slot.
    pub(super) fn refund(&mut self, limit: usize, weight: u64, charge: u64, is_admitted: bool) {
        if weight > 0 {
            let limits = self.buckets.len();
            let weights = self.refunds.entry((charge, is_admitted)).or_insert_with(|| vec![0; limits].into());
            // A charge is at most that large, and so are its refunds.
            weights[limit] = (weights[limit] + weight).min(MOST);
            let refund = &mut self.buckets[limit].refund;
            *refund = refund.saturating_add(weight);
            self.unwanted |= self.removable == Some(charge);
        }
    }

    /// Notes that a call departs for a charge, which therefore stays.
    pub(super) fn mark_used(&mut self, charge: u64) {
        if self.removable == Some(charge) {
            self.keep_last();
        }
    }

    /// Adds a debt in one limit: what a call used beyond its charge.
    pub(super) fn owe(&mut self, limit: usize, weight: u64) {
        let account = &mut self.buckets[limit];
        account.debt = account.debt.saturating_add(weight).min(MOST);
    }

    /// Notes what this process took from one limit while it decided alone, and the least of it to
    /// owe. It had the last reply at `seen_at` on its own clock, and went alone at `since`.
    pub(super) fn took(&mut self, limit: usize, (all, least): (u64, u64), seen_at: u64, since: u64) {
        if all > 0 {
            let account = &mut self.buckets[limit];
            let full_until = seen_at.saturating_add(account.level).max(since);
            account.taken.add(Taken { all, least, idle: account.idle, full_until });
            self.went_alone = self.went_alone.or(Some(Went { at: since, epoch: self.epoch }));
        }
    }

    /// Begins a batch: writes its number and that of the last one with a reply, which state this
    /// client saw last, and for how long this process decided alone and which state it had seen
    /// before.
    pub(super) fn begin(&mut self, batch: &mut Writer, now: u64) {
        self.batch += 1;
        // Not zero, which stands for not at all.
        let alone =
            self.went_alone.map_or([0, 0], |Went { at, epoch }| [now.saturating_sub(at) / 1_000 + 1, epoch]);
        let seen = [self.replied, self.seen_at, self.epoch, self.charges];
        for number in [self.batch].into_iter().chain(seen).chain(alone) {
            batch.number(number);
        }
    }

    /// Notes that a hold lasts until then, on the clock of the client, and if that is because a
    /// quota is used up. `None` if that time is over.
    pub(super) fn begin_hold(&mut self, until: Option<u64>, exhausts: bool) {
        self.change_hold(HoldChange { ends: Ends::Nothing, until, exhausts });
    }

    /// Notes that one limit is held until then, on the clock of the client.
    pub(super) fn begin_limit_hold(&mut self, limit: usize, until: u64) {
        let shut = &mut self.buckets[limit].shut;
        *shut = until.max(*shut);
    }

    /// Notes that the hold of all calls has ended.
    pub(super) fn end_hold(&mut self) {
        self.change_hold(HoldChange::end(Ends::Hold));
    }

    /// Notes that the holds of single limits have ended, too.
    pub(super) fn end_all_holds(&mut self) {
        self.buckets.iter_mut().for_each(|account| account.shut = 0);
        self.change_hold(HoldChange::end(Ends::LimitHolds));
    }

    fn change_hold(&mut self, change: HoldChange) {
        self.hold = Some(self.hold.map_or(change, |before| before.then(change)));
    }

    /// Returns true if a reply is of another state than the last one.
    pub(super) fn is_lost(&self, epoch: u64) -> bool {
        self.epoch > 0 && self.epoch != epoch
    }

    /// Returns true if a change of the hold waits for a batch. It waits for the first reply, before
    /// which the server's clock is not known.
    pub(super) fn has_hold(&self) -> bool {
        self.hold.is_some_and(|change| {
            self.seen_at > 0 || change.ends == Ends::Everything && change.until.is_none()
        })
    }

    /// Returns true if a hold of one limit alone waits for a batch.
    fn has_limit_hold(&self) -> bool {
        self.seen_at > 0 && self.buckets.iter().any(|account| account.shut > 0)
    }

    /// Returns true if a hold of this limit alone waits for a batch, or the end of all holds.
    pub(super) fn changes_limit_hold(&self, limit: usize) -> bool {
        self.buckets[limit].shut > 0 || self.ends_limit_holds()
    }

    /// Returns true if the end of the holds of single limits waits for a batch.
    fn ends_limit_holds(&self) -> bool {
        self.hold.is_some_and(|change| change.ends >= Ends::LimitHolds)
    }

    /// Writes the change of the hold. `clock` converts times of the client.
    pub(super) fn write_hold(&mut self, clock: ServerClock, batch: &mut Writer) {
        self.holding = if self.has_hold() { self.hold.take() } else { None };
        let until = self.holding.and_then(|change| change.until);
        batch.number(until.map_or(0, |until| self.on_server(until, clock)));
        batch.number(self.holding.map_or(0, |change| change.ends as u64));
        batch.number(self.holding.is_some_and(|change| change.exhausts).into());
    }

    /// Returns a time of the client on the server's clock.
    fn on_server(&self, time: u64, ServerClock { seen_at, trip }: ServerClock) -> u64 {
        let rest = time.saturating_sub(seen_at).saturating_add(trip).min(MOST);
        self.seen_at + rest.div_ceil(1_000)
    }

    /// Writes the charge to take out: the last one, if no call wants it or if it `moves`. Then the
    /// numbers of refunds and calls, the debts, the refunds, and the changes of the pace and of the
    /// holds of single limits.
    pub(super) fn write(
        &mut self,
        scales: &[Scale],
        moves: bool,
        calls: usize,
        windows: &[(usize, [u64; 4])],
        (now, clock): (u64, ServerClock),
        batch: &mut Writer,
    ) {
        let went_alone = self.went_alone.map_or(0, |went| went.at);
        let out = self.removable.filter(|_| moves || self.unwanted);
        let first = self.refunds.keys().rev().nth(MOST_REFUNDS - 1).copied().unwrap_or_default();
        let sent = self.refunds.split_off(&first);
        for number in [out.unwrap_or_default(), moves.into(), sent.len() as u64, calls as u64] {
            batch.number(number);
        }
        for (limit, (account, scale)) in self.buckets.iter_mut().zip(scales).enumerate() {
            let Account { level, debt, raise, sum, idle, taken, .. } = *account;
            let raise = at(raise, now).min(MOST);
            [level, debt, raise].iter().for_each(|number| batch.number(*number));
            batch.signed(sum.map_or(-1, u64::cast_signed));
            [taken.all, taken.least].iter().for_each(|number| batch.number(*number));
            batch.signed(if taken.all > 0 { taken.idle } else { idle });
            let full = taken.full_until.saturating_sub(went_alone);
            [full, scale.fit, scale.burst].iter().for_each(|number| batch.number(*number));
            let windows = windows.iter().filter(|(of, _)| *of == limit);
            windows.flat_map(|(_, times)| times).for_each(|number| batch.number(*number));
            (account.owing, account.taking) = (mem::take(&mut account.debt), mem::take(&mut account.taken));
            account.raising = account.raise.take();
        }
        for ((charge, is_admitted), weights) in sent.iter().rev() {
            batch.number(*charge);
            batch.number((*is_admitted).into());
            for (account, weight) in self.buckets.iter_mut().zip(weights) {
                batch.number(*weight);
                account.refunding = account.refunding.saturating_add(*weight);
                account.refund = account.refund.saturating_sub(*weight);
            }
        }
        self.sent = sent;
        let knows_clock = self.seen_at > 0;
        for limit in 0..self.buckets.len() {
            let account = &mut self.buckets[limit];
            account.pacing = mem::take(&mut account.pace);
            account.shutting = if knows_clock { mem::take(&mut account.shut) } else { 0 };
            let (PaceChange { refused, span, rest, rate }, until) = (account.pacing, account.shutting);
            let until = if until > 0 { self.on_server(until, clock) } else { 0 };
            [refused, span, rest, rate, until].into_iter().for_each(|number| batch.number(number));
        }
    }

    /// Gives up the batch in flight, which the server may have decided or not. Sends its debts
    /// and its change of the hold again, since that is safe, and drops its refunds.
    pub(super) fn give_up(&mut self) {
        self.keep_last();
        self.sent.clear();
        let has_ended = self.ends_limit_holds();
        if let Some(before) = self.holding.take() {
            self.hold = Some(self.hold.map_or(before, |later| before.then(later)));
        }
        for account in &mut self.buckets {
            account.debt = account.debt.saturating_add(mem::take(&mut account.owing)).min(MOST);
            account.taken.add(mem::take(&mut account.taking));
            account.raise = account.raise.or(account.raising.take());
            let later = mem::replace(&mut account.pace, mem::take(&mut account.pacing));
            account.pace.add(later);
            let before = mem::take(&mut account.shutting);
            account.shut = if has_ended { account.shut } else { account.shut.max(before) };
            account.refunding = 0;
        }
    }

    /// Takes the batch in flight back, which the server has not decided. Sends all of it again.
    pub(super) fn take_back(&mut self) {
        for ((charge, is_admitted), weights) in mem::take(&mut self.sent) {
            for (limit, weight) in weights.iter().enumerate() {
                self.refund(limit, *weight, charge, is_admitted);
            }
        }
        self.give_up();
    }

    /// Scales everything that is known of one limit, because its burst has changed: to `part` of
    /// `of`. Rounds to the higher level. What is in flight is included, since it may be sent again.
    pub(super) fn scale(&mut self, limit: usize, (part, of): (u128, u128)) {
        let up = |weight: u64| to_weight((u128::from(weight) * part).div_ceil(of));
        let down = |weight: u64| to_weight(u128::from(weight) * part / of);
        for weights in self.refunds.values_mut().chain(self.sent.values_mut()) {
            weights[limit] = down(weights[limit]);
        }
        let account = &mut self.buckets[limit];
        for weight in [&mut account.refund, &mut account.refunding] {
            *weight = down(*weight);
        }
        for weight in [&mut account.level, &mut account.debt, &mut account.owing] {
            *weight = up(*weight);
        }
        for taken in [&mut account.taken, &mut account.taking] {
            (taken.all, taken.least) = (up(taken.all), up(taken.least));
        }
        for (level, _) in [&mut account.raise, &mut account.raising].into_iter().flatten() {
            *level = up(*level);
        }
    }

    /// Forgets what was charged and given back, because the buckets become as new. Sends that with
    /// the next batch.
    pub(super) fn reset(&mut self) {
        self.keep_last();
        self.refunds.clear();
        // Nor is it sent again if the batch in flight is given up.
        self.sent.clear();
        self.went_alone = None;
        for account in &mut self.buckets {
            let Account { sum, idle, .. } = *account;
            *account = Account { sum, idle, ..Account::default() };
        }
        self.hold = Some(HoldChange::end(Ends::Everything));
    }

    /// Applies the reply to a batch. Returns the numbers of the charges that were granted, in
    /// order. If the last one lies beyond the look-ahead, it can be taken out later.
    pub(super) fn apply(&mut self, reply: &BatchReply, look_ahead: u64) -> impl Iterator<Item = u64> + use<> {
        let granted = || reply.calls.iter().filter(|call| call.granted);
        let before = reply.charges.saturating_sub(granted().count() as u64);
        if reply.charges != self.charges || reply.is_out {
            self.keep_last();
        }
        if granted().next_back().is_some_and(|call| call.wait > look_ahead) {
            self.removable = Some(reply.charges);
        }
        let is_same = self.epoch == reply.epoch;
        for (account, bucket) in self.buckets.iter_mut().zip(&reply.buckets) {
            if let (Some((level, _)), Some(sum), true) = (&mut account.raise, account.sum, is_same) {
                *level = level.saturating_add_signed(difference(bucket.sum, sum)).min(MOST);
            }
            (account.level, account.idle, account.sum) = (bucket.level, bucket.idle, Some(bucket.sum));
            (account.owing, account.taking, account.refunding) = (0, Taken::default(), 0);
            (account.raising, account.pacing, account.shutting) = (None, PaceChange::default(), 0);
        }
        if self.buckets.iter().all(|account| account.taken.all == 0) {
            self.went_alone = None;
        }
        self.holding = None;
        self.sent.clear();
        self.replied = self.batch;
        (self.seen_at, self.epoch, self.charges) = (reply.decided, reply.epoch, reply.charges);
        before + 1..=reply.charges
    }

    /// Notes that the last charge cannot be taken out any more.
    fn keep_last(&mut self) {
        (self.removable, self.unwanted) = (None, false);
    }
}

fn to_weight(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(MOST).min(MOST)
}

/// Returns by how much one sum of weights is larger than another one, modulo [`MOST`]. Less than
/// zero if a call was taken out.
fn difference(sum: u64, other: u64) -> i64 {
    let ahead = sum.wrapping_sub(other) % MOST;
    if ahead < MOST / 2 { ahead.cast_signed() } else { ahead.cast_signed() - MOST.cast_signed() }
}

/// Returns the level at `now` of what was asked for at some time, less what has leaked since.
fn at(asked: Option<(u64, u64)>, now: u64) -> u64 {
    asked.map_or(0, |(level, at)| level.saturating_sub(now.saturating_sub(at)))
}
