//! The promise, whatever happens: in no window is more admitted than the rate gives in it and the burst, or the
//! largest call, on top. And all that goes with it: strictly in order, never idle, nothing lost.
//!
//! Anything may happen here: a process that stands still, calls that leave, settle, cancel, run out of time or
//! try their luck. What cannot be foretold exactly can still be bounded exactly.

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Permit, RateLimiter, Usage};
use openlimit_tests::model::{Charge, Limit};
use openlimit_tests::random::{NAMES, admissible, build, cost, limits};
use openlimit_tests::{Call, nanos, nanos_of};
use proptest::collection::vec;
use proptest::prelude::*;

/// What happens next. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Move {
    Arrive(Vec<u64>, Option<u64>),
    Try(Vec<u64>),
    Advance(u64),
    /// The process stands still for so long.
    Jump(u64),
    Look,
    Drop(usize),
    Cancel(usize),
    Settle(usize, usize, u64),
}

/// A call, and what is known of it.
struct Party {
    arrived: u64,
    /// What it asked for and, once it was given back, what it kept.
    amounts: Vec<u64>,
    state: State,
}

enum State {
    Asks(Call),
    Has(Permit, u64),
    /// Admitted then, and settled.
    Settled(u64),
    Gone,
}

struct World {
    clock: ManualClock,
    limiter: RateLimiter,
    limits: Vec<Limit>,
    parties: Vec<Party>,
    /// All that was ever charged, as late as it can have been, and nothing given back.
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
                    prop_assert!(self.head().is_none(), "it has overtaken");
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
                    // It may have been granted something, and given it back.
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
                    // A `Usage` always says how many tokens there were.
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

    /// Whoever is next could not be admitted even by the most cautious reading of the rules.
    fn is_not_idle(&mut self) -> Result<(), TestCaseError> {
        self.look()?;
        let Some(head) = self.head() else { return Ok(()) };
        let amounts = &self.parties[head].amounts;
        let room = self.limits.iter().filter(|limit| amounts[limit.dimension] > 0).map(|limit| {
            // Departures may lag behind the charges by half the jitter, for which large calls wait.
            let lag = if limit.fits(amounts) { 0 } else { limit.jitter / 2 };
            limit.room_at(&self.charged, amounts).saturating_add(lag)
        });
        let room = room.max().unwrap_or(0);
        prop_assert!(room > self.now(), "call {} waits at {}, and had room at {}", head, self.now(), room);
        Ok(())
    }

    /// Nobody who came later was admitted earlier.
    fn is_in_order(&self) -> Result<(), TestCaseError> {
        let admitted = self.parties.iter().filter_map(Party::admitted);
        prop_assert!(admitted.is_sorted(), "not in order");
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
                        "{:?}: {} > {} from {} to {}",
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

    /// When all is over and time enough has passed, a full burst can be had again.
    fn loses_nothing(&mut self) -> Result<(), TestCaseError> {
        self.clock.advance(nanos(1 << 61));
        self.look()?;
        prop_assert!(self.head().is_none(), "somebody waits for ever");
        self.clock.jump(nanos(1 << 61));
        let burst = (0..3).map(|dimension| {
            let limits = self.limits.iter().filter(|limit| limit.dimension == dimension);
            let most = limits.map(|limit| limit.fit() / limit.weight(1)).min().unwrap_or(0);
            u64::try_from(most.max(1)).unwrap_or(u64::MAX)
        });
        let burst: Vec<u64> = burst.collect();
        let outcome = self.limiter.try_acquire(cost(&self.limits, &burst));
        prop_assert!(outcome.is_ok(), "no full burst: {:?}", outcome);
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

    /// Keeps the charges in order of time.
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

    /// One of those that are so.
    fn nth(&self, which: usize, so: impl Fn(&State) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..self.parties.len()).filter(|call| so(&self.parties[*call].state)).collect();
        (!all.is_empty()).then(|| all[which % all.len()])
    }

    fn now(&self) -> u64 {
        nanos_of(&self.clock)
    }
}

impl Party {
    /// When it was admitted, if it was and did not take it back.
    fn admitted(&self) -> Option<u64> {
        match self.state {
            State::Has(_, at) | State::Settled(at) => Some(at),
            _ => None,
        }
    }
}
