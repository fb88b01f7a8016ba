//! Holds that begin or end between batches: of all calls, and of single limits.
//!
//! A hold lasts until a time on the clock of the client. So it waits for the first reply, from
//! which the server's clock is known.

use super::Ledger;
use crate::backend::redis::changes::{Ends, HoldChange};

impl Ledger {
    /// Notes that a hold lasts until then, on the clock of the client, and if that is because a
    /// quota is used up. `None` if that time is over.
    pub(in crate::backend::redis) fn begin_hold(&mut self, until: Option<u64>, exhausts: bool) {
        self.change_hold(HoldChange { ends: Ends::Nothing, until, exhausts });
    }

    /// Notes that one limit is held until then, on the clock of the client.
    pub(in crate::backend::redis) fn begin_limit_hold(&mut self, limit: usize, until: u64) {
        let shut = &mut self.buckets[limit].shut;
        *shut = until.max(*shut);
    }

    /// Notes that the hold of all calls has ended.
    pub(in crate::backend::redis) fn end_hold(&mut self) {
        self.change_hold(HoldChange::end(Ends::Hold));
    }

    /// Notes that the holds of single limits have ended, too.
    pub(in crate::backend::redis) fn end_all_holds(&mut self) {
        self.buckets.iter_mut().for_each(|account| account.shut = 0);
        self.change_hold(HoldChange::end(Ends::LimitHolds));
    }

    /// Returns true if a change of the hold waits for a batch. It waits for the first reply, before
    /// which the server's clock is not known.
    pub(in crate::backend::redis) fn has_hold(&self) -> bool {
        self.hold.is_some_and(|change| {
            self.seen_at > 0 || change.ends == Ends::Everything && change.until.is_none()
        })
    }

    /// Returns true if a hold of this limit alone waits for a batch, or the end of all holds.
    pub(in crate::backend::redis) fn changes_limit_hold(&self, limit: usize) -> bool {
        self.buckets[limit].shut > 0 || self.ends_limit_holds()
    }

    /// Returns true if a hold of one limit alone waits for a batch.
    pub(super) fn has_limit_hold(&self) -> bool {
        self.seen_at > 0 && self.buckets.iter().any(|account| account.shut > 0)
    }

    /// Returns true if the end of the holds of single limits waits for a batch.
    pub(super) fn ends_limit_holds(&self) -> bool {
        self.hold.is_some_and(|change| change.ends >= Ends::LimitHolds)
    }

    fn change_hold(&mut self, change: HoldChange) {
        self.hold = Some(self.hold.map_or(change, |before| before.then(change)));
    }
}
