//! Moves slots up: after a refund, calls that were granted ahead depart sooner.
//!
//! # Why that is safe
//!
//! The level in a reply counts every charge that was granted so far, those of later moments and of
//! other clients included. If that level has fallen to `fit` after some time, then so has the level
//! of the calls that have really departed. So from then on all of them may depart.
//!
//! After a reset the level counts only what was granted since. So slots from before it begin at once,
//! beside the new burst.
//!
//! A client's own slots depart in order. So for one of them, the slots behind it do not count. Let
//! `after` be the level less the weights of those. The slot may begin
//!
//! ```text
//! after - fit
//! ```
//!
//! after the reply was decided, just as if it were granted now. A call that does not fit waits for
//! an empty bucket, as always. A slot whose old moment is earlier keeps it. Without a refund, each
//! slot begins when the script granted it.
//!
//! The time at which a slot expires stays. The buckets keep its charge until the moment that it was
//! granted for, so it may begin at any time until then. If the reply comes late, the new moment may
//! have passed already.
//!
//! Where calls above a priority and those below have slots of their own, they are taken in the
//! order of their moments. Those above come first if they have the same.
//!
//! During a hold all of that is counted from its end, until when the levels stand.
//!
//! Example, in ms, with a fit of 180. The level is 300, of which two slots of 60 are at 60 and 120
//! from now. Then a call gives back 90, and a reply shows a level of 210. The last slot may begin
//! at 210 - 180 = 30. Without it the level is 150, so the slot before it may begin now.

use std::cmp::max;

use super::state::Slots;
use crate::backend::redis::wire::BatchReply;

impl Slots {
    /// Moves slots up as far as the levels in a reply allow. `decided` is when it was decided, on
    /// the limiter's clock.
    pub(super) fn move_up(&mut self, reply: &BatchReply, decided: u64) {
        // From the last slot to the first: the moment that each may have.
        let mut levels: Vec<u64> = reply.buckets.iter().map(|bucket| bucket.level).collect();
        let mut waits = Vec::with_capacity(self.slots.len() + self.below.len());
        let mut slots: Vec<_> = self.slots.iter().chain(&self.below).collect();
        slots.sort_by_key(|slot| slot.due);
        for slot in slots.into_iter().rev() {
            let mut wait = 0;
            for (bucket, (level, scale)) in levels.iter_mut().zip(&self.scales).enumerate() {
                let amount = slot.amounts.as_slice()[self.dimensions[bucket]];
                let weight = scale.weight(amount);
                // It was charged at least that much. It may weigh more now that the rate is slower.
                *level = level.saturating_sub(self.weight_of(bucket, amount, slot.charge));
                if weight > 0 {
                    wait = max(wait, scale.wait(*level, weight));
                }
            }
            waits.push(wait);
        }
        let end_of_hold = decided + reply.held_for;
        // From the first to the last, since a slot does not begin before the one in front of it.
        let mut from = 0;
        let mut slots: Vec<_> = self.slots.iter_mut().chain(&mut self.below).collect();
        slots.sort_by_key(|slot| slot.due);
        for (slot, wait) in slots.into_iter().zip(waits.into_iter().rev()) {
            from = max(from, wait);
            if end_of_hold + from < slot.due {
                slot.due = end_of_hold + from;
                slot.at = reply.decided + (reply.held_for + from) / 1_000;
            }
            from = max(from, slot.due.saturating_sub(end_of_hold));
        }
    }
}
