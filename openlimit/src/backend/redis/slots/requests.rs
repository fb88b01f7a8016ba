//! Which calls a batch asks for: those at the front of the queue that no slot serves, and a lease.

use super::state::{AskedCall, Slot, Slots};
use crate::backend::redis::scale::MOST;
use crate::limits::Amounts;
use crate::queue::{Key, Queue, Waiter};

/// The most calls in a batch. The server serves no other client while it decides one. It takes
/// about half a microsecond for each call, so about 0.15 ms for this many.
const MOST_CALLS: usize = 256;

/// How many calls have slots behind a head that waits for other limiters. When it departs, the next
/// one then joins their queues at once, instead of a round trip later. More are of no use: slots
/// expire before their turn.
const READY: usize = 3;

impl Slots {
    /// Iterates over the waiters to request slots for: those that no slot serves, of so many at the
    /// front of the queue, by lane.
    ///
    /// Matches slots as calls will be admitted: each waiter takes the first slot of its lane that
    /// it fits, and gives back the slots before that one.
    fn without_slot<'a>(
        &'a self,
        queue: &'a Queue,
        [above, below]: [usize; 2],
    ) -> impl Iterator<Item = (Key, &'a Waiter)> {
        let mut lanes = [(self.slots.iter(), above), (self.below.iter(), below)];
        let waiters = queue.iter().map_while(move |(key, waiter)| {
            if lanes.iter().all(|(_, left)| *left == 0) {
                return None;
            }
            let amounts = waiter.amounts.as_slice();
            let (slots, left) = &mut lanes[usize::from(self.takes_share(amounts))];
            if *left == 0 {
                return Some(None);
            }
            *left -= 1;
            Some((!slots.any(|slot| slot.fits(amounts))).then_some((key, waiter)))
        });
        waiters.flatten()
    }

    /// Returns true if no slot is requested behind this one yet. Behind a lease, calls are
    /// requested when it is used up, and behind a large slot when that was taken or has expired.
    fn ends_requests(&self, slot: &Slot, now: u64) -> bool {
        slot.is_lease() || self.is_far(slot, now) || self.is_large(slot) && now <= slot.expires
    }

    /// Returns true if much of what a slot takes may have to be given back: if that is more than
    /// half of what calls may fill of a burst, and leaks in a time that is long beside a round
    /// trip. Or if the slot lasts longer than others, and is charged for that.
    ///
    /// What a smaller call leaves of it, or a call in time, can be given back only as far as the
    /// level before the next charge. With another such slot behind it, hardly anything of it could.
    /// Nothing is lost of the rate while the next one is requested a round trip later.
    pub(super) fn is_large(&self, slot: &Slot) -> bool {
        let leaking = self.scales.iter().zip(&self.dimensions).filter(|(scale, _)| !scale.resets());
        let mut weights =
            leaking.map(|(scale, dimension)| (scale, scale.weight(slot.amounts.as_slice()[*dimension])));
        slot.late_by > 0 || weights.any(|(scale, weight)| weight > self.trips().max(scale.fit / 2))
    }

    /// Returns true if slots may be requested in a lane.
    fn is_open(&self, is_below: bool, now: u64) -> bool {
        // Without calls, a batch leaves the line.
        let from = if is_below && self.in_line != Some(true) { self.below_from(now) } else { 0 };
        now >= from && self.lane(is_below).back().is_none_or(|slot| !self.ends_requests(slot, now))
    }

    /// Returns how many waiters at the front of the queue are to have slots, by lane.
    ///
    /// While the head waits for other limiters, slots of the calls behind it may expire unused. So
    /// only the next [`READY`] are to have slots, and none once the slot of the head has expired.
    /// Then a batch for them would only be in the way of the next one for the head.
    ///
    /// If fewer may have slots than wait, they are those that go first. Otherwise calls above could
    /// take all of them while one below goes first, and nothing would ever be requested for it.
    pub(super) fn wanting(&self, queue: &Queue, now: u64) -> [usize; 2] {
        let most = match queue.head().filter(|_| queue.waits_elsewhere()) {
            None => usize::MAX,
            Some((_, head)) => match self.lane(self.takes_share(head.amounts.as_slice())).front() {
                Some(slot) if now <= slot.expires => 1 + READY,
                _ => 0,
            },
        };
        let most = most.min(self.room);
        let above = if self.has_shares() { queue.above() } else { queue.len() };
        let below = queue.len() - above;
        if self.holds_up(queue, now) {
            return [0, below.min(most)];
        }
        if most >= queue.len() || !self.has_shares() {
            return [above.min(most), below.min(most)];
        }
        let is_below = |(_, waiter): &(Key, &Waiter)| self.takes_share(waiter.amounts.as_slice());
        let first_below = queue.iter().take(most).filter(is_below).count();
        // Calls below that wait for their share are passed. A call that passed them keeps its turn.
        let has_passed = queue.head_above().is_some_and(|(_, above)| above.turn.is_kept());
        let passing = if has_passed || self.below_from(now) > now { first_below } else { 0 };
        [above.min(most - first_below + passing), first_below]
    }

    /// Returns true if the first call that no slot serves is one below that was kept back, and not
    /// for its share alone. Then those above wait for it.
    pub(super) fn holds_up(&self, queue: &Queue, now: u64) -> bool {
        if self.below_at == 0 {
            return false;
        }
        let first = self.without_slot(queue, [usize::MAX; 2]).next();
        let first = first.map(|(_, first)| first.amounts.as_slice());
        first.is_some_and(|first| self.takes_share(first) && self.limits_keep_back(first, now))
    }

    /// Returns true if slots serve all waiters that [want](Self::wanting) some.
    pub(super) fn serve_all(&self, queue: &Queue, wanting: [usize; 2]) -> bool {
        self.without_slot(queue, wanting).next().is_none()
    }

    /// Returns the calls to request, and how long each may wait.
    pub(super) fn calls(&self, queue: &Queue, now: u64) -> Vec<(AskedCall, u64)> {
        if self.room == 0 {
            return Vec::new();
        }
        let [above, below] = self.wanting(queue, now);
        let wanting = [
            if self.is_open(false, now) { above } else { 0 },
            if self.is_open(true, now) { below } else { 0 },
        ];
        let mut calls = Vec::new();
        for (key, waiter) in self.without_slot(queue, wanting).take(MOST_CALLS) {
            let (amounts, deadline) = (waiter.amounts.clone(), waiter.deadline());
            let longest = if deadline == u64::MAX { deadline } else { deadline.saturating_sub(now) };
            calls.push((self.ask_for(Some((key, waiter.number)), amounts, waiter.late_by), longest));
            if waiter.late_by > 0 {
                // Nothing is requested behind it: see `is_large`.
                return calls;
            }
        }
        // The lease comes last, so that no call waits for it.
        calls.extend(
            self.lease(queue, now).map(|amounts| (self.ask_for(None, amounts, 0), self.look_ahead(now))),
        );
        calls
    }

    /// Creates a call of a batch.
    fn ask_for(&self, waiter: Option<(Key, u64)>, amounts: Amounts, late_by: u64) -> AskedCall {
        let buckets = self.scales.iter().zip(&self.dimensions);
        let weights = buckets.map(|(scale, dimension)| {
            let amount = amounts.as_slice()[*dimension];
            (scale.weight(amount) + scale.for_lateness(amount, late_by)).min(MOST)
        });
        AskedCall { waiter, late_by, weights: weights.collect(), amounts }
    }

    /// Returns the amounts of a lease: what every limit allows in a slice. `None` if leases are off
    /// or the next call would not fit, or no waiter [wants](Self::wanting) a slot. It takes from
    /// the shares only if the next call does.
    fn lease(&self, queue: &Queue, now: u64) -> Option<Amounts> {
        let slice = self.terms.lease.filter(|_| queue.is_empty() || self.wanting(queue, now) != [0; 2])?;
        let heads = [queue.head(), queue.head_above()].into_iter().flatten();
        let mut next = heads.map(|(_, head)| &head.amounts).chain(&self.lease_for);
        let holds_up = self.holds_up(queue, now);
        let is_open = |is_below: bool| self.is_open(is_below, now) && (is_below || !holds_up);
        let next = next.find(|next| is_open(self.takes_share(next.as_slice())))?;
        let is_below = self.takes_share(next.as_slice());
        let mut amounts = next.clone();
        for (dimension, amount) in amounts.as_mut_slice().iter_mut().enumerate() {
            let buckets = if is_below { self.scales.len() } else { self.limits };
            let limits = self.scales[..buckets].iter().zip(&self.dimensions);
            let limits = limits.filter(|(_, of)| **of == dimension);
            // A lease that takes nothing from a limit on hold serves calls that do not, either.
            let is_shut = self.shut_of(dimension) > now;
            *amount = if is_shut {
                0
            } else {
                limits.map(|(scale, _)| scale.slice(slice, *amount)).min().unwrap_or(0)
            };
        }
        let fits = amounts.as_slice().iter().zip(next.as_slice()).all(|(lease, asked)| lease >= asked);
        fits.then_some(amounts)
    }
}
