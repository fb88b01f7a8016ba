//! The ledger's part of a batch: what waits is written, and is in flight from then on.
//!
//! What is in flight stays in the ledger until there is a reply, since it may have to be sent
//! again. The order of the numbers is that in which the script reads them.

use std::mem;

use super::notes::at;
use super::{Account, Ledger, Went};
use crate::backend::redis::changes::PaceChange;
use crate::backend::redis::scale::{MOST, Scale};
use crate::backend::redis::wire::Writer;

/// The most refunds in a batch. Each takes the server about half a microsecond for each limit.
const MOST_REFUNDS: usize = 256;

/// How times of the client are times of the server: the last reply was decided at `seen_at` on the
/// client's clock, or earlier by at most `late_by`.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend::redis) struct ServerClock {
    pub(in crate::backend::redis) seen_at: u64,
    pub(in crate::backend::redis) late_by: u64,
}

impl Ledger {
    /// Begins a batch: writes its number and that of the last one with a reply, which state this
    /// client saw last, for how long this process decided alone and which state it had seen
    /// before, and when the batch is made.
    pub(in crate::backend::redis) fn begin(&mut self, clock: ServerClock, batch: &mut Writer, now: u64) {
        self.batch += 1;
        self.went_before = self.went_alone.take();
        // Not zero, which stands for not at all.
        let alone =
            self.went_before.map_or([0, 0], |Went { at, epoch }| [now.saturating_sub(at) / 1_000 + 1, epoch]);
        let seen = [self.replied, self.seen_at, self.epoch, self.charges];
        let made_at = if self.seen_at > 0 { self.on_server(now, clock) } else { 0 };
        for number in [self.batch].into_iter().chain(seen).chain(alone).chain([made_at]) {
            batch.number(number);
        }
    }

    /// Writes when the holds were changed last, when that of all calls ends, and if a quota is used
    /// up, all by the last reply and the server's clock, and the change of the hold. `clock`
    /// converts times of the client.
    pub(in crate::backend::redis) fn write_hold(
        &mut self,
        (news, seen, is_exhausted): (u64, u64, bool),
        clock: ServerClock,
        batch: &mut Writer,
    ) {
        batch.number(news);
        let seen = seen.min(MOST).cast_signed();
        batch.signed(if is_exhausted { -seen.max(1) } else { seen });
        self.holding = if self.has_hold() { self.hold.take() } else { None };
        let until = self.holding.and_then(|change| change.until);
        batch.number(until.map_or(0, |until| self.on_server(until, clock)));
        batch.number(self.holding.map_or(0, |change| change.ends as u64));
        batch.number(self.holding.is_some_and(|change| change.exhausts).into());
    }

    /// Writes the numbers of refunds and calls, the debts, the refunds, and the changes of the pace
    /// and of the holds of single limits, which end at `seen_shut` by the last reply.
    pub(in crate::backend::redis) fn write(
        &mut self,
        scales: &[Scale],
        calls: usize,
        windows: &[(usize, [u64; 5])],
        seen_shut: &[u64],
        (now, clock): (u64, ServerClock),
        batch: &mut Writer,
    ) {
        let went_alone = self.went_before.map_or(0, |went| went.at);
        let first = self.refunds.keys().rev().nth(MOST_REFUNDS - 1).copied().unwrap_or_default();
        let sent = self.refunds.split_off(&first);
        for number in [sent.len() as u64, calls as u64] {
            batch.number(number);
        }
        for (limit, (account, scale)) in self.buckets.iter_mut().zip(scales).enumerate() {
            let Account { level, debt, raise, sum, idle, taken, .. } = *account;
            let raise = at(raise, now).min(MOST);
            [level, debt, raise].iter().for_each(|number| batch.number(*number));
            batch.signed(sum.map_or(-1, u64::cast_signed));
            [taken.all, taken.least.at(now)].iter().for_each(|number| batch.number(*number));
            batch.signed(if self.went_before.is_some() { taken.idle } else { idle });
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
        for (limit, seen_shut) in seen_shut.iter().enumerate() {
            let account = &mut self.buckets[limit];
            account.pacing = mem::take(&mut account.pace);
            account.shutting = if knows_clock { mem::take(&mut account.shut) } else { 0 };
            let (PaceChange { refused, span, rest, rate }, until) = (account.pacing, account.shutting);
            let until = if until > 0 { self.on_server(until, clock) } else { 0 };
            let numbers = [refused, span, rest, rate, (*seen_shut).min(MOST), until];
            numbers.into_iter().for_each(|number| batch.number(number));
        }
    }

    /// Returns a time of the client on the server's clock.
    fn on_server(&self, time: u64, ServerClock { seen_at, late_by }: ServerClock) -> u64 {
        let rest = time.saturating_sub(seen_at).saturating_add(late_by).min(MOST);
        self.seen_at + rest.div_ceil(1_000)
    }
}
