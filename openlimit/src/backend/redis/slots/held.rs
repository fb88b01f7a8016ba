//! Holds of shared limits: one process sends it to the server, which announces it to the others.
//! They also learn of it with their next reply.
//!
//! # How soon
//!
//! A client that hears of the hold begins it at once (`announced.rs`). What follows is for those
//! that do not.
//!
//! Calls for which slots are there, or a lease, need no batch. So a client asks for news if the
//! last reply is [old](Slots::fresh_for), which it is after an eighth of the look-ahead: in time
//! before a slot is due, and when a call departs from a lease. A batch takes a round trip, and
//! half of one passes before the reply to the batch before it is there. The hold took half of one
//! to get to the server, and waited for up to a whole one if a batch was in flight. So the calls of
//! one client depart for at most an eighth of the look-ahead and three round trips after another
//! one began a hold, and usually for two.
//!
//! No call waits for that reply, since without the server it would never come. So calls depart
//! for another round trip from a lease that was not used for that time, and for as long as a reply
//! is late. While no call departs, nothing is asked.
//!
//! # Until the end
//!
//! During a hold the server grants nothing before its end, and the buckets do not leak. Slots that
//! were granted before are given back, and their calls ask again shortly before the end. The hold
//! may be released by another process, which tells nobody. So they also ask once in [`NEWS`].
//!
//! A call that is granted for the end of a hold is charged as of then. So the hold lasts until that
//! end even if it is released, which is a look-ahead at most.
//!
//! While a quota is used up, the server grants one call of all clients, the probe, once the time is
//! over. The client that has the probe lets its call depart. The other clients refuse their calls,
//! and ask the server about once in [`NEWS`] while they do.
//!
//! # If Redis lost its state
//!
//! Each batch says which holds its client has seen last, and when those were changed. If the server
//! has lost its state, it takes over the latest that any client has seen: others may have begun or
//! ended holds since (`decide/holds.lua`). So a hold that was over may come back, but only until a
//! client asks that knew of its end. What a client changes after the loss counts more than what any
//! has seen before, unless the server's clock is behind by more than the lost state lasted.
//!
//! # One limit
//!
//! A refusal that names a limit holds only calls that take from it, and those behind them in the
//! queue. Slots of other calls in front of those stay. The server grants nothing ahead of the end
//! of such a hold, so it may end early.

use std::mem;

use super::state::{Slot, Slots};
use crate::backend::redis::wire::BatchReply;
use crate::backend::{Buckets as _, HOLD};

/// How old a reply may be before a client asks if a hold is over, in nanoseconds: 1 s. One batch a
/// second is no load.
const NEWS: u64 = 1_000_000_000;

impl Slots {
    /// Begins or prolongs a hold, and sends it to the server at once. It is sent even if one is
    /// known that lasts longer: another process may have ended that one.
    pub(super) fn begin_hold(&mut self, until: u64, exhausts: bool, now: u64) {
        if until > self.held_until || exhausts && !self.is_exhausted {
            self.drop_all(now);
        }
        self.setbacks += 1;
        self.hold_until(self.held_until.max(until), now);
        self.is_exhausted |= exhausts;
        self.ledger.begin_hold(Some(until).filter(|until| *until > now), exhausts);
        self.flush_at = self.flush_at.min(now);
    }

    /// Ends all holds, and sends that to the server at once.
    pub(super) fn end_all_holds(&mut self, now: u64) {
        if self.is_held(now) || self.is_any_shut(now) {
            self.end_hold(now);
            (0..self.scales.len()).for_each(|bucket| self.shut_limit_until(bucket, 0, now));
            self.head_shut_until = 0;
            self.ledger.end_all_holds();
        }
    }

    /// Ends the hold of all calls, and sends that to the server at once.
    pub(super) fn end_hold(&mut self, now: u64) {
        self.hold_until(0, now);
        (self.is_exhausted, self.probe_slot) = (false, 0);
        // The hold may be why the calls were not granted.
        (self.ask_at, self.below_at) = (0, 0);
        self.ledger.end_hold();
        self.flush_at = self.flush_at.min(now);
    }

    /// Begins or prolongs the hold of one limit, and sends it to the server at once.
    pub(super) fn begin_limit_hold(&mut self, bucket: usize, until: u64, now: u64) {
        self.shut_limit_until(bucket, self.shut_until[bucket].max(until), now);
        self.drop_held(now);
        self.ledger.begin_limit_hold(bucket, until);
        self.flush_at = self.flush_at.min(now);
    }

    /// Moves the end of the hold of one limit to `until`, which may be over. Its rate stands still
    /// until then if it climbs.
    pub(super) fn shut_limit_until(&mut self, bucket: usize, until: u64, now: u64) {
        let from = now.max(self.opens_at(bucket));
        self.setbacks += u64::from(until > self.shut_until[bucket].max(now));
        self.shut_until[bucket] = until;
        let to = now.max(self.opens_at(bucket));
        self.climbs[bucket].climb = self.climbs[bucket].climb.moved(from, to);
    }

    /// Gives back the first slot that takes from a limit on hold, and those behind it, which no
    /// call takes earlier.
    pub(super) fn drop_held(&mut self, now: u64) {
        if !self.is_any_shut(now) {
            return;
        }
        for is_below in [false, true] {
            let lane = self.lane(is_below);
            let first = lane.iter().position(|slot| self.shut_for(slot.amounts.as_slice()) > now);
            let first = first.unwrap_or(lane.len());
            for slot in self.lane_mut(is_below).split_off(first) {
                self.drop_slot(&slot, now);
            }
        }
    }

    /// Takes over what a reply says about the holds of single limits, apart from changes that the
    /// server does not know yet.
    pub(super) fn learn_limit_holds(&mut self, reply: &BatchReply, now: u64) {
        let mut changes = false;
        for (bucket, said) in reply.buckets.iter().enumerate() {
            let known = self.shut_until[bucket];
            self.shut_at_server[bucket] = reply.ends_in(said.shut_for);
            let until = self.seen_at + said.shut_for.min(self.max_hold);
            let until = if said.shut_for > 0 { until } else { 0 };
            if self.ledger.changes_limit_hold(bucket) || until.max(known) <= now {
                continue;
            }
            self.shut_limit_until(bucket, until, now);
            changes = true;
        }
        if changes {
            self.drop_held(now);
            self.tell_share(now);
        }
    }

    /// Lets the buckets that decide during an outage know of all holds.
    pub(super) fn tell_share(&mut self, now: u64) {
        let share = &mut self.alone.share;
        share.release(now);
        if self.is_exhausted {
            share.exhaust(self.held_until, now);
        } else {
            share.hold(self.held_until, now);
        }
        for (place, until) in self.places[..self.limits].iter().zip(&self.shut_until) {
            share.hold_limit(*place, *until, now);
        }
    }

    /// Returns true if any limit alone is on hold at `now`.
    pub(super) fn is_any_shut(&self, now: u64) -> bool {
        self.shut_until.iter().any(|until| now < *until)
    }

    /// Returns when the holds end that a call of these amounts waits for.
    pub(super) fn held_for(&self, amounts: &[u64]) -> u64 {
        self.held_until.max(self.shut_for(amounts))
    }

    /// Returns when a bucket leaks again. It may be over.
    pub(super) fn opens_at(&self, bucket: usize) -> u64 {
        self.held_until.max(self.shut_until[bucket])
    }

    /// Returns when the holds of single limits end that a call of these amounts waits for.
    pub(super) fn shut_for(&self, amounts: &[u64]) -> u64 {
        self.latest_end(|dimension| amounts[dimension] > 0)
    }

    /// Returns when nothing holds back a call of these amounts any more: no hold of a limit alone,
    /// and no limit that has to be reset first.
    pub(super) fn opens_for(&self, amounts: &[u64], now: u64) -> u64 {
        self.shut_for(amounts).max(self.reset_for(amounts, now))
    }

    /// Returns when the holds of the limits of one dimension end.
    pub(super) fn shut_of(&self, dimension: usize) -> u64 {
        self.latest_end(|of| of == dimension)
    }

    fn latest_end(&self, is_of: impl Fn(usize) -> bool) -> u64 {
        let shut = self.shut_until.iter().zip(&self.dimensions);
        shut.filter(|(_, of)| is_of(**of)).map(|(until, _)| *until).max().unwrap_or(0)
    }

    /// Moves the end of the hold to `until`, which may be over. Rates that climb stand still until
    /// then.
    pub(super) fn hold_until(&mut self, until: u64, now: u64) {
        let before = mem::replace(&mut self.held_until, until);
        for (known, shut) in self.climbs.iter_mut().zip(&self.shut_until) {
            let (from, to) = (before.max(*shut), until.max(*shut));
            known.climb = known.climb.moved(now.max(from), now.max(to));
        }
    }

    /// Lets another call be the probe, because this client lost its slot for it.
    pub(super) fn pass_probe_on(&mut self, now: u64) {
        self.probe_slot = 0;
        // A hold that the server does not know yet begins all the same.
        let until = Some(self.held_until).filter(|until| self.ledger.has_hold() && *until > now);
        self.ledger.end_hold();
        self.ledger.begin_hold(until, true);
        self.flush_at = self.flush_at.min(now);
    }

    /// Takes over what a reply says about the hold, unless the server does not know of the latest
    /// change yet.
    ///
    /// By the server's clock the end is exact. By that of the client it seems later if the reply
    /// comes later, which is no reason to give back slots that were granted for the time after it.
    pub(super) fn learn_hold(&mut self, reply: &BatchReply, now: u64) {
        self.news = reply.news;
        let rest = reply.held_for;
        let at_server = reply.ends_in(rest);
        let is_longer = at_server > mem::replace(&mut self.held_at_server, at_server);
        self.exhausted_at_server = reply.is_exhausted;
        if self.ledger.has_hold() {
            return;
        }
        if reply.is_exhausted && (reply.has_probe || self.probe_slot > 0) {
            // Its own call is the one that the others wait for.
            self.hold_until(now, now);
            self.is_exhausted = true;
            return;
        }
        let until = if rest > 0 { self.seen_at + rest.min(self.max_hold) } else { 0 };
        let begins = reply.is_exhausted && !self.is_exhausted;
        if begins || is_longer && until > now {
            self.drop_all(now);
        }
        if until > now || self.is_held(now) || begins {
            self.hold_until(until, now);
            (self.is_exhausted, self.probe_slot) = (reply.is_exhausted, 0);
            self.tell_share(now);
        }
    }

    /// Returns for how long a reply counts as fresh, in nanoseconds. While many calls wait, the
    /// next batch is sent after that time anyway.
    fn fresh_for(&self) -> u64 {
        self.shortest_pause()
    }

    /// Returns when to ask for news for the first slot whose call would depart on old news; the
    /// largest value if there is none. The reply is to be there before the slot is due.
    ///
    /// It asks half of [`fresh_for`](Self::fresh_for) and a round trip before the slot is due. So a
    /// batch with calls may come first, the news serves later slots as well, and the reply may
    /// still be late.
    pub(super) fn news_at(&self) -> u64 {
        let fresh_for = self.fresh_for();
        let before = |slot: &Slot, time: u64| slot.due.saturating_sub(time.saturating_add(self.usual_trip));
        let first = self.lanes().into_iter().filter_map(|lane| {
            let first = lane.partition_point(|slot| before(slot, fresh_for) <= self.seen_at);
            lane.get(first).filter(|slot| !slot.is_lease()).map(|slot| before(slot, fresh_for / 2))
        });
        first.min().map_or(u64::MAX, |from| from.max(self.seen_at.saturating_add(fresh_for)))
    }

    /// Returns true if the driver has to ask for news once a call departs from a lease.
    pub(super) fn needs_news(&self, now: u64) -> bool {
        !self.wants_news
            && self.in_flight.is_none()
            && now.saturating_sub(self.seen_at) >= self.fresh_for()
            && self.lanes().into_iter().any(|lane| lane.front().is_some_and(Slot::is_lease))
    }

    /// Notes that a call was refused by what is known: that a quota is used up, or that it would
    /// wait for too long, for the end of a hold. Asks the server if that is so still, unless it has
    /// said so lately.
    pub(super) fn want_news(&mut self, now: u64) {
        self.wants_news |= self.in_flight.is_none() && now.saturating_sub(self.seen_at) >= NEWS;
    }

    /// Returns true if Redis admits nothing at `now`, or only a probe.
    pub(super) fn is_held(&self, now: u64) -> bool {
        now < self.held_until || self.is_exhausted
    }

    /// Returns the wait of a call of these amounts and what decides it, once holds are taken into
    /// account.
    pub(super) fn at_end_of_hold(&self, wait: (u64, usize), amounts: &[u64], now: u64) -> (u64, usize) {
        let rest = self.held_for(amounts).saturating_sub(now);
        if rest > 0 { (rest.max(wait.0), HOLD) } else { wait }
    }

    /// Returns when calls may be requested: once the server may grant them, or say that the hold is
    /// over.
    pub(super) fn may_ask_at(&self, now: u64) -> u64 {
        let end = self.held_until.saturating_sub(self.look_ahead(now)).max(self.head_shut_until);
        self.ask_at.max(self.unless_it_opens(end))
    }

    /// Returns when to ask for a call that waits until `end`, unless another process ends that.
    pub(super) fn unless_it_opens(&self, end: u64) -> u64 {
        end.min(self.seen_at.saturating_add(NEWS))
    }
}
