//! `Buckets`: what a backend does. The seam between the rules of admission and where buckets live.

use super::starting::Starting;
use crate::bucket::{Ahead, Look};
use crate::error::{BuildProblem, StoreStatus};
use crate::limits::Amounts;
use crate::queue::{Queue, Refusal, Waiter};

/// The moment from which a call can be admitted, and the place of the limit that decides it, or
/// [`HOLD`].
///
/// The later of two moments compares as the larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    pub(crate) at: u64,
    pub(crate) limit: usize,
}

/// The number of a charge that a store numbers later. No charge has it.
pub(crate) const UNNUMBERED: u64 = 0;

/// The place of no limit: stands for a hold in [`Due::limit`] and in refusals.
pub(crate) const HOLD: usize = usize::MAX;

/// The operations of a backend.
///
/// Times are nanoseconds of the limiter's clock. Amounts are by dimension. Charges are numbered in
/// the order in which they happen.
///
/// Every method runs under the limiter's lock, so it must not block, wake a task or call foreign
/// code.
pub(crate) trait Buckets {
    /// Charges a call now, while no other call waits. Charges all limits and returns the number of
    /// the charge, or charges none.
    fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64>;

    /// Does the same, but charges none if the driver has to be called when the call departs. Then
    /// [`take`](Self::take) charges the call, and the driver is called.
    #[inline(always)]
    fn take_quickly(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        self.take(amounts, now)
    }

    /// Returns true if [`take`](Self::take) would charge this call at the same moment.
    fn has_room(&mut self, amounts: &[u64], now: u64) -> bool;

    /// Returns when the head of the queue can be admitted, or `None` while that is not known.
    fn due(&mut self, head: &Waiter, now: u64) -> Option<Due>;

    /// Returns when [`due`](Self::due) has to be asked again although nothing has happened, because
    /// a limit resets by the wall clock; the largest value if never.
    fn due_changes(&self) -> u64;

    /// Returns true if a call that takes from the share of its priority is due later in that share
    /// than in the limits themselves.
    fn waits_for_share(&self, amounts: &[u64], now: u64) -> bool;

    /// Returns true if a store has granted a charge ahead for a call below a reserved priority.
    /// Then it holds up no call above.
    fn is_granted_below(&self) -> bool;

    /// Charges the head of the queue as of `at`, and returns the number of the charge.
    ///
    /// Must follow a call of [`due`](Self::due) that returned a moment not after `now` for the same
    /// call.
    fn charge(&mut self, amounts: &Amounts, at: u64, now: u64) -> u64;

    /// Refunds amounts of a charge, as far as they are still in the buckets. Calls `late` with what
    /// is not, rounded down, and the place of its limit, if that is known at once. Of the charge
    /// [`UNNUMBERED`] it refunds nothing.
    fn refund(&mut self, amounts: &Amounts, charge: u64, now: u64, late: impl FnMut(usize, u64));

    /// Returns the number of the next charge; zero if that is not known.
    fn next_charge(&self) -> u64;

    /// Returns the amount of one limit that came too late to be refunded, as far as that was known
    /// only later.
    fn late(&self, place: usize) -> u64;

    /// Charges amounts without a wait, into debt if need be: what an admitted call used beyond its
    /// reservation, or a call that was made elsewhere. Returns the number of the charge, or `None`
    /// if a store numbers it later.
    fn owe(&mut self, amounts: &Amounts, now: u64) -> Option<u64>;

    /// Takes nothing any more, for ever: [`take`](Self::take) finds no room, and
    /// [`is_exhausted`](Self::is_exhausted) is true. Refunds, debts and holds work as before, but
    /// [`release`](Self::release) may undo this.
    fn close(&mut self, now: u64);

    /// Changes the rates and the bursts of the limits. What is used of each stays the same time of
    /// the rate, and so does what is given back later. The rates are as declared then, unless they
    /// climb. `version` is that of limits that another process has updated in a store.
    ///
    /// # Errors
    /// Returns the problem if the store cannot keep such limits. Nothing is changed then.
    fn change(&mut self, limits: &Starting<'_>, version: Option<u64>, now: u64) -> Result<(), BuildProblem>;

    /// Makes the buckets as new, with these limits: empty, at the declared rates, and without
    /// holds. What was charged before cannot be given back.
    fn reset(&mut self, limits: &Starting<'_>, now: u64);

    /// Returns a lower bound on the wait of `call` if it joined now, and the limit that decides it.
    fn wait(&self, call: &Waiter, queue: &Queue, now: u64) -> (u64, usize);

    /// Returns the wait of `call` if it joined now and nothing else changed. A store that others
    /// use, too, is taken to be as it was last seen.
    fn expected_wait(&self, call: &Waiter, queue: &Queue, now: u64) -> u64 {
        self.wait(call, queue, now).0
    }

    /// Returns a lower bound on the wait of a call that would be next, and the limit that decides
    /// it.
    fn wait_of_next(&self, amounts: &[u64], now: u64) -> (u64, usize);

    /// Returns a lower bound on the further wait of a waiter behind calls that ask for `ahead` of
    /// each dimension, and the limit that decides it.
    fn wait_behind(&self, amounts: &[u64], ahead: &[Ahead], now: u64) -> (u64, usize);

    /// Returns a lower bound on the wait of a call that goes before no waiter, not even one of a
    /// lower priority, because it may not wait. Also returns the limit that decides it.
    fn wait_behind_all(&self, call: &Waiter, queue: &Queue, now: u64) -> (u64, usize) {
        let head = queue.head().map(|(_, head)| self.wait_of_next(head.amounts.as_slice(), now));
        self.wait(call, queue, now).max(head.unwrap_or_default())
    }

    /// Returns a number that grows with each change by which calls may have to wait for longer than
    /// was known: a debt, a hold, a slower rate, a level that was corrected upwards.
    fn setbacks(&self) -> u64;

    /// Returns the refusal of a call that would have to wait and may not.
    fn would_wait(&mut self, call: &Waiter, queue: &Queue, now: u64) -> Refusal;

    /// Returns the refusal of a waiter whose timeout ended.
    ///
    /// The head is not due before `head_due`, which is zero while nothing is known of that.
    fn expire(&self, waiter: &Waiter, queue: &Queue, head_due: u64, now: u64) -> Refusal;

    /// Changes the rate of one limit to `allowed` of what was `declared`, but to no less than an
    /// eighth, and no more than 65 536 times as much.
    fn set_rate(&mut self, place: usize, allowed: u64, declared: u64, now: u64);

    /// Returns true if another process that shares the limit has set its rate to something else
    /// than that.
    fn differs(&self, place: usize, allowed: u64, declared: u64) -> bool;

    /// Halves the rate of one limit, which then climbs back: in `span` nanoseconds it would climb
    /// from zero to the whole. Returns false, and does nothing, if it was cut already after
    /// `charge`: that of the call that was refused.
    fn cut(&mut self, place: usize, span: u64, charge: u64, now: u64) -> bool;

    /// Returns true if the rate of one limit was cut and is not whole again.
    fn climbs(&self, place: usize, now: u64) -> bool;

    /// Lets the bucket of one limit hold this amount, if that is more than its burst, but no more
    /// than one call may take.
    fn widen(&mut self, place: usize, amount: u64);

    /// Returns true if a response is about what one limit counts now: always, unless it resets and
    /// the response is about another window. Known are the charge of its call, and the time until
    /// the reset that it states.
    fn is_meant(&self, place: usize, charge: Option<u64>, resets_in: Option<u64>, now: u64) -> bool;

    /// Returns the amount of one limit that was charged since a charge, by all processes. `None` if
    /// that is not known, or if this limiter shares its buckets with no other.
    fn granted_since(&mut self, place: usize, charge: u64) -> Option<u64>;

    /// Fills the bucket of one limit so that at most `left` can be taken from it now. A `left`
    /// below zero is a debt. Never makes room.
    fn cap(&mut self, place: usize, left: i64, now: u64);

    /// Admits nothing before `until`, if that is later than the end of a hold that there is. The
    /// levels stand until then.
    fn hold(&mut self, until: u64, now: u64);

    /// Does the same for calls that take something from one limit, and for its level.
    fn hold_limit(&mut self, place: usize, until: u64, now: u64);

    /// Admits nothing before `until`, because a quota is used up. From then on it admits the head
    /// of the queue, as a probe, and no call that does not wait, until [`release`](Self::release).
    /// Of this and of other holds, the latest end counts.
    fn exhaust(&mut self, until: u64, now: u64);

    /// Ends the hold of a quota that was used up, and with it that of all calls. Holds of single
    /// limits stay. Does nothing if no quota is used up.
    fn reopen(&mut self, now: u64);

    /// Ends all holds, of any kind.
    fn release(&mut self, now: u64);

    /// Returns when the hold ends; zero if there was none. It may be over. While a quota is used
    /// up, it is when the next probe may depart.
    fn held_until(&self) -> u64;

    /// Returns true while a quota is used up.
    fn is_exhausted(&self) -> bool;

    /// Returns when the hold of one limit alone ends; zero if there was none. It may be over.
    fn limit_held_until(&self, place: usize) -> u64;

    /// Returns true if no call is admitted at `now` without a closer look at the holds.
    fn is_shut(&self, now: u64) -> bool;

    /// Returns true if it decides about all later calls, and refunds none of the earlier ones, as
    /// new buckets of the same limits would: everything has flowed back, nothing is held, and the
    /// rates are as declared.
    fn is_as_new(&self, now: u64) -> bool;

    /// Learns from the store if a quota is used up still, or a hold lasts, because a call was
    /// refused by what may be old news. A backend without a store compares limits that reset with
    /// the clock, which may have been set.
    fn refresh(&mut self, now: u64);

    /// Returns the state of each limit.
    fn look(&self, now: u64) -> Vec<Look>;

    /// Returns the state of the connection to the store, or `None` for a backend without one.
    fn store(&self) -> Option<StoreStatus>;

    /// Gives back what was reserved ahead, because no call waits any more.
    fn idle(&mut self, now: u64);

    /// Notes that no more than so many calls depart before this changes, because calls in flight
    /// are limited. A store grants no more of them ahead.
    fn set_room(&mut self, calls: usize);

    /// Returns the usual time of a round trip to the store; zero without one.
    fn round_trip(&self) -> u64 {
        0
    }

    /// Returns for how long what is reserved for a call lasts once it is due; the largest value
    /// without a store.
    fn lasts(&self) -> u64 {
        u64::MAX
    }

    /// Returns true if the driver has to run earlier than it planned to.
    fn calls_driver(&mut self, queue: &Queue, now: u64) -> bool;
}
