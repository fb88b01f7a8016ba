//! The bound on admission. A window of time admits at most the amount that the rate gives in it,
//! plus the burst or the largest call. The tests also check that calls are admitted in order, that
//! the limiter is never idle while there is room, and that no amount is lost.
//!
//! The moves are random: the process stands still, and calls are dropped, settled, cancelled, timed
//! out or tried. The exact result cannot be predicted, so the tests check bounds.

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Permit, RateLimiter, Usage};
use openlimit_tests::model::{Charge, Limit};
use openlimit_tests::random::{NAMES, admissible, build, cost, limits};
use openlimit_tests::{Call, nanos, nanos_of};
use proptest::collection::vec;
use proptest::prelude::*;

/// A step of a random run. A `usize` selects one of the existing calls, modulo their number.
#[derive(Clone, Debug)]
enum Move {
    Arrive(Vec<u64>, Option<u64>),
    Try(Vec<u64>),
    Advance(u64),
    /// The process stands still for this many nanoseconds.
    Jump(u64),
    Look,
    Drop(usize),
    Cancel(usize),
    Settle(usize, usize, u64),
}

/// A call and its state.
struct Party {
    arrived: u64,
    /// The reserved amounts. A refund reduces them to the amounts used.
    amounts: Vec<u64>,
    state: State,
}

enum State {
    Asks(Call),
    Has(Permit, u64),
    /// Settled, with the time of admission.
    Settled(u64),
    Gone,
}

struct World {
    clock: ManualClock,
    limiter: RateLimiter,
    limits: Vec<Limit>,
    parties: Vec<Party>,
    /// All charges, each at the latest possible time, without refunds.
    charged: Vec<Charge>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_window_holds_more_than_the_promise(
        limits in limits(0..200_000_000_u64),
        moves in vec(any_move(), 1..80),
    ) {
        let clock = ManualClock::new();
        let limiter = build(&limits, &clock);
        let mut world = World { clock, limiter, limits, parties: Vec::new(), charged: Vec::new() };
        for next in moves {
            world.play(next)?;
        }
        world.is_not_idle()?;
        world.is_in_order()?;
        world.keeps_the_promise()?;
        world.loses_nothing()?;
    }
}

fn any_move() -> impl Strategy<Value = Move> {
    let amounts = || vec(prop_oneof![0..3_u64, 0..50_u64, 0..3_000_u64], 3);
    let time =
        || prop_oneof![0..1_000_u64, 0..100_000_000_u64, 0..10_000_000_000_u64, 0..100_000_000_000_000_u64];
    let timeout = prop_oneof![3 => Just(None), 1 => time().prop_map(Some)];
    prop_oneof![
        6 => (amounts(), timeout).prop_map(|(amounts, timeout)| Move::Arrive(amounts, timeout)),
        2 => amounts().prop_map(Move::Try),
        4 => time().prop_map(Move::Advance),
        4 => time().prop_map(Move::Jump),
        3 => Just(Move::Look),
        2 => any::<usize>().prop_map(Move::Drop),
        2 => any::<usize>().prop_map(Move::Cancel),
        3 => (any::<usize>(), 0..3_usize, 0..300_u64).prop_map(|(which, dimension, used)| {
            Move::Settle(which, dimension, used)
        }),
    ]
}

impl World {
    fn play(&mut self, next: Move) -> Result<(), TestCaseError> {
        match next {
            Move::Arrive(amounts, timeout) => {
                let amounts = admissible(&self.limits, &amounts);
                let mut acquire = self.limiter.acquire(cost(&self.limits, &amounts));
                if let Some(timeout) = timeout {
                    acquire = acquire.timeout(nanos(timeout));
                }
                let state = State::Asks(Call::start(acquire));
                self.parties.push(Party { arrived: self.now(), amounts, state });
                self.look_at(self.parties.len() - 1)?;
            }
            Move::Try(amounts) => {
                let amounts = admissible(&self.limits, &amounts);
                if let Ok(permit) = self.limiter.try_acquire(cost(&self.limits, &amounts)) {
                    self.look()?;
                    prop_assert!(self.head().is_none(), "`try_acquire` overtook the queue");
                    let now = self.now();
                    self.charge(now, amounts.clone());
                    self.parties.push(Party { arrived: now, amounts, state: State::Has(permit, now) });
                }
            }
            Move::Advance(by) => self.clock.advance(nanos(by)),
            Move::Jump(by) => self.clock.jump(nanos(by)),
            Move::Look => self.is_not_idle()?,
            Move::Drop(which) => {
                if let Some(call) = self.nth(which, |state| matches!(state, State::Asks(_))) {
                    self.parties[call].state = State::Gone;
                    // The call may have been granted a permit and given it back.
                    self.charge(self.now(), self.parties[call].amounts.clone());
                }
            }
            Move::Cancel(which) => {
                if let Some((_, permit, _)) = self.take(which) {
                    permit.cancel();
                }
            }
            Move::Settle(which, dimension, used) => {
                if let Some((call, permit, at)) = self.take(which) {
                    let amounts = &mut self.parties[call].amounts;
                    let reserved = amounts[dimension];
                    // A `Usage` always includes a number of tokens.
                    permit.settle(Usage::from(amounts[1]).with(NAMES[dimension], used));
                    amounts[dimension] = used.min(reserved);
                    self.parties[call].state = State::Settled(at);
                    let mut more = vec![0; 3];
                    more[dimension] = used.saturating_sub(reserved);
                    self.charge(self.now(), more);
                }
            }
        }
        Ok(())
    }

    /// Asserts that the head of the queue has no room even if all charges count at their latest
    /// time.
    fn is_not_idle(&mut self) -> Result<(), TestCaseError> {
        self.look()?;
        let Some(head) = self.head() else { return Ok(()) };
        let amounts = &self.parties[head].amounts;
        let room = self
            .limits
            .iter()
            .filter(|limit| amounts[limit.dimension] > 0)
            .map(|limit| limit.room_at(&self.charged, amounts));
        let room = room.max().unwrap_or(0);
        prop_assert!(room > self.now(), "call {} waits at {} with room at {}", head, self.now(), room);
        Ok(())
    }

    /// Asserts that calls are admitted in the order of arrival.
    fn is_in_order(&self) -> Result<(), TestCaseError> {
        let admitted = self.parties.iter().filter_map(Party::admitted);
        prop_assert!(admitted.is_sorted(), "calls were admitted out of order");
        Ok(())
    }

    fn keeps_the_promise(&self) -> Result<(), TestCaseError> {
        let mut calls: Vec<(u64, &Party)> =
            self.parties.iter().filter_map(|party| Some((party.admitted()?, party))).collect();
        calls.sort_by_key(|(at, _)| *at);
        for limit in &self.limits {
            for first in 0..calls.len() {
                let (mut sum, mut largest) = (0, limit.worth(limit.burst));
                for (at, party) in &calls[first..] {
                    let weight = limit.weight(party.amounts[limit.dimension]);
                    (sum, largest) = (sum + weight, largest.max(weight));
                    let promised = limit.worth(at - calls[first].0) + largest;
                    prop_assert!(
                        sum <= promised,
                        "{:?} admitted {}, more than {}, from {} to {}",
                        limit,
                        sum,
                        promised,
                        calls[first].0,
                        at
                    );
                }
            }
        }
        Ok(())
    }

    /// Asserts that a full burst is available again after a long time.
    fn loses_nothing(&mut self) -> Result<(), TestCaseError> {
        self.clock.advance(nanos(1 << 61));
        self.look()?;
        prop_assert!(self.head().is_none(), "a call was never admitted");
        self.clock.jump(nanos(1 << 61));
        let burst = (0..3).map(|dimension| {
            let limits = self.limits.iter().filter(|limit| limit.dimension == dimension);
            let most = limits.map(|limit| limit.fit() / limit.weight(1)).min().unwrap_or(0);
            u64::try_from(most.max(1)).unwrap_or(u64::MAX)
        });
        let burst: Vec<u64> = burst.collect();
        let outcome = self.limiter.try_acquire(cost(&self.limits, &burst));
        prop_assert!(outcome.is_ok(), "a full burst was refused: {:?}", outcome);
        Ok(())
    }

    fn look(&mut self) -> Result<(), TestCaseError> {
        (0..self.parties.len()).try_for_each(|call| self.look_at(call))
    }

    fn look_at(&mut self, call: usize) -> Result<(), TestCaseError> {
        let party = &mut self.parties[call];
        let State::Asks(asks) = &mut party.state else { return Ok(()) };
        let Some(outcome) = asks.over() else { return Ok(()) };
        party.state = State::Gone;
        match outcome {
            Ok(permit) => {
                let waited = u64::try_from(permit.waited().as_nanos()).unwrap_or(u64::MAX);
                let at = party.arrived + waited;
                party.state = State::Has(permit, at);
                let amounts = party.amounts.clone();
                self.charge(at, amounts);
            }
            Err(AcquireError::Timeout { timeout, wait, .. }) => prop_assert!(wait > timeout),
            Err(error) => prop_assert!(false, "{}", error),
        }
        Ok(())
    }

    /// Inserts a charge. Charges stay sorted by time.
    fn charge(&mut self, at: u64, amounts: Vec<u64>) {
        let place = self.charged.partition_point(|charge| charge.at <= at);
        self.charged.insert(place, Charge { call: 0, at, amounts });
    }

    fn head(&self) -> Option<usize> {
        self.parties.iter().position(|party| matches!(party.state, State::Asks(_)))
    }

    fn take(&mut self, which: usize) -> Option<(usize, Permit, u64)> {
        let call = self.nth(which, |state| matches!(state, State::Has(..)))?;
        match std::mem::replace(&mut self.parties[call].state, State::Gone) {
            State::Has(permit, at) => Some((call, permit, at)),
            _ => None,
        }
    }

    /// Returns one of the calls whose state matches, chosen by `which`.
    fn nth(&self, which: usize, so: impl Fn(&State) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..self.parties.len()).filter(|call| so(&self.parties[*call].state)).collect();
        (!all.is_empty()).then(|| all[which % all.len()])
    }

    fn now(&self) -> u64 {
        nanos_of(&self.clock)
    }
}

impl Party {
    /// Returns the time of admission, unless the call was not admitted or was cancelled.
    fn admitted(&self) -> Option<u64> {
        match self.state {
            State::Has(_, at) | State::Settled(at) => Some(at),
            _ => None,
        }
    }
}
