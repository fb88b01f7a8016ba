//! Random stacks over random limiters, compared with the history of what was admitted.
//!
//! The time of each departure is known to the nanosecond. So the level of every bucket can be
//! computed from the calls that departed, and from nothing else. A call that was charged in a part
//! of its limiters, or before it departed, would show.

use openlimit::testing::ManualClock;
use openlimit::{Percent, Permit, Priority, Rate, RateLimiter, Stack, Usage};
use openlimit_tests::model::{Charge, Limit};
use openlimit_tests::{Call, nanos, nanos_of, plain, secs};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// A rate in tokens a second, and the part of it that is kept for a priority, in percent.
type Declared = (u64, Option<(Priority, u8)>);

/// A step of a random run. A `usize` selects one of the existing calls, modulo their number.
#[derive(Clone, Debug)]
enum Move {
    /// Arrives at these limiters, which may be named again, with this percentage of the least rate.
    Arrive(Vec<usize>, u64, Priority),
    /// As many high calls arrive at one limiter as may overtake a lower one.
    Overtake(usize),
    Advance(u64),
    /// A call that waits, or that was granted but not polled since, is dropped.
    Drop(usize),
    Cancel(usize),
    Settle(usize, u64),
}

struct Asked {
    /// The limiters, in the order of their ranks.
    levels: Vec<usize>,
    amount: u64,
    priority: Priority,
    arrived: u64,
    state: State,
}

enum State {
    Waits(Call),
    Has(Permit),
    Gone,
}

/// The limiters, and what has happened to them.
struct World {
    clock: ManualClock,
    limiters: Vec<RateLimiter>,
    limits: Vec<Limit>,
    /// The priority for which a part of each is kept, and the limit of the calls below.
    shares: Vec<Option<(Priority, Limit)>>,
    /// What each of them was charged, in the order of time.
    histories: Vec<Vec<Charge>>,
    calls: Vec<Asked>,
    /// The calls in the order of their departures.
    departed: Vec<usize>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn calls_depart_from_all_their_limiters_or_from_none_and_none_waits_for_ever(
        rates in vec((1..2_000_u64, option::of((priority(), 1..70_u8))), 1..5),
        moves in vec(any_move(), 1..80),
    ) {
        let mut world = World::new(&rates);
        for next in &moves {
            world.make(next);
            world.check()?;
        }
        // Without new calls, all of them depart, one second each of the least share at the most.
        let end = 4 * (world.calls.len() as u64 + 3 * moves.len() as u64);
        for _ in 0..end {
            if world.waiting().next().is_none() {
                break;
            }
            world.make(&Move::Advance(1_000_000_000));
            world.check()?;
        }
        prop_assert!(world.waiting().next().is_none(), "calls wait for ever");
    }
}

fn any_move() -> impl Strategy<Value = Move> {
    let amount = prop_oneof![0..5_u64, 0..101_u64];
    let time = prop_oneof![0..1_000_u64, 0..100_000_000_u64, 0..3_000_000_000_u64];
    prop_oneof![
        8 => (vec(0..4_usize, 1..5), amount, priority())
            .prop_map(|(levels, part, priority)| Move::Arrive(levels, part, priority)),
        1 => (0..4_usize).prop_map(Move::Overtake),
        6 => time.prop_map(Move::Advance),
        2 => any::<usize>().prop_map(Move::Drop),
        1 => any::<usize>().prop_map(Move::Cancel),
        2 => (any::<usize>(), 0..200_u64).prop_map(|(which, part)| Move::Settle(which, part)),
    ]
}

fn priority() -> impl Strategy<Value = Priority> {
    prop_oneof![Just(Priority::High), Just(Priority::Normal), Just(Priority::Low)]
}

impl Asked {
    /// Returns what the call takes from a limit and from the share of lower priorities.
    fn takes(&self, amount: u64, share: Option<&(Priority, Limit)>) -> Vec<u64> {
        let is_below = share.is_some_and(|(above, _)| self.priority < *above);
        vec![amount, 0, 0, if is_below { amount } else { 0 }]
    }
}

impl World {
    /// Creates limiters of so many tokens a second, of which a part may be kept.
    fn new(rates: &[Declared]) -> Self {
        let clock = ManualClock::new();
        let limiter = |(rate, kept): &Declared| {
            let builder = plain(&clock).tokens(Rate::per_second(*rate));
            // Nothing is below low calls.
            let kept = kept.filter(|(above, _)| *above > Priority::Low);
            kept.iter()
                .fold(builder, |builder, (above, part)| builder.reserve((*above, Percent(*part))))
                .build()
        };
        let limiters: Vec<_> = rates.iter().map(|rate| limiter(rate).expect("valid rates")).collect();
        // Gives them their ranks.
        drop(Stack::of(&*limiters).acquire(0));
        let limit = |(rate, _): &Declared| Limit {
            dimension: 0,
            amount: *rate,
            period: 1_000_000_000,
            burst: 1_000_000_000,
            jitter: 0,
            headroom: 0,
        };
        let limits: Vec<_> = rates.iter().map(limit).collect();
        let share =
            |(limit, (_, kept)): (&Limit, &Declared)| kept.map(|(above, part)| (above, limit.without(part)));
        let shares = limits.iter().zip(rates).map(share).collect();
        let histories = vec![Vec::new(); rates.len()];
        Self { clock, limiters, limits, shares, histories, calls: Vec::new(), departed: Vec::new() }
    }

    fn make(&mut self, next: &Move) {
        match next {
            Move::Arrive(places, part, priority) => {
                let places: Vec<_> = places.iter().map(|place| place % self.limiters.len()).collect();
                let least = places.iter().map(|place| self.limits[*place].amount).min().unwrap_or(0);
                let amount = least * part / 100;
                let stack: Vec<_> = places.iter().map(|place| &self.limiters[*place]).collect();
                let call = Call::start(Stack::of(stack).acquire(amount).priority(*priority));
                let mut levels = places;
                levels.sort_unstable();
                levels.dedup();
                let (priority, arrived) = (*priority, nanos_of(&self.clock));
                self.calls.push(Asked { levels, amount, priority, arrived, state: State::Waits(call) });
            }
            Move::Overtake(place) => {
                (0..9).for_each(|_| self.make(&Move::Arrive(vec![*place], 0, Priority::High)));
            }
            Move::Advance(time) => self.clock.advance(nanos(*time)),
            Move::Drop(which) => {
                if let Some(call) = self.pick(*which, |state| matches!(state, State::Waits(_))) {
                    self.calls[call].state = State::Gone;
                }
            }
            Move::Cancel(which) => {
                if let Some((call, permit)) = self.take_permit(*which) {
                    permit.cancel();
                    for history in &mut self.histories {
                        history.retain(|charge| charge.call != call);
                    }
                }
            }
            Move::Settle(which, part) => {
                if let Some((call, permit)) = self.take_permit(*which) {
                    let reserved = self.calls[call].amount;
                    let used = reserved * part / 100;
                    permit.settle(Usage::from(used));
                    for level in self.calls[call].levels.clone() {
                        self.settle(level, call, reserved, used);
                    }
                }
            }
        }
    }

    fn settle(&mut self, level: usize, call: usize, reserved: u64, used: u64) {
        let at = nanos_of(&self.clock);
        let takes = |amount| self.calls[call].takes(amount, self.shares[level].as_ref());
        let history = &mut self.histories[level];
        if let Some(charge) = history.iter_mut().find(|charge| charge.call == call) {
            charge.amounts = takes(used.min(reserved));
        }
        if used > reserved {
            history.push(Charge { call: usize::MAX, at, amounts: takes(used - reserved) });
        }
    }

    fn pick(&self, which: usize, is_one: impl Fn(&State) -> bool) -> Option<usize> {
        let some: Vec<_> = (0..self.calls.len()).filter(|call| is_one(&self.calls[*call].state)).collect();
        some.get(which.checked_rem(some.len())?).copied()
    }

    fn take_permit(&mut self, which: usize) -> Option<(usize, Permit)> {
        let call = self.pick(which, |state| matches!(state, State::Has(_)))?;
        match std::mem::replace(&mut self.calls[call].state, State::Gone) {
            State::Has(permit) => Some((call, permit)),
            _ => None,
        }
    }

    /// Returns when a call has room in one limiter: in its limit, and in its share.
    fn room_at(&self, level: usize, call: &Asked) -> u64 {
        let share = self.shares[level].as_ref();
        let takes = call.takes(call.amount, share);
        let buckets = [Some(&self.limits[level]), share.map(|(_, limit)| limit)];
        buckets
            .into_iter()
            .flatten()
            .map(|limit| limit.room_at(&self.histories[level], &takes))
            .max()
            .unwrap_or(0)
    }

    fn waiting(&self) -> impl Iterator<Item = &Asked> {
        self.calls.iter().filter(|call| matches!(call.state, State::Waits(_)))
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        self.note_departures()?;
        let now = nanos_of(&self.clock);
        // Every bucket holds what departed, and no more.
        for (place, limit) in self.limits.iter().enumerate() {
            let room = limit.fit() - limit.level(&self.histories[place], now);
            let left = u64::try_from(room.div_euclid(limit.weight(1)).max(0)).unwrap_or(0);
            let status = self.limiters[place].status().expect("it is built");
            prop_assert_eq!(status.limits[0].available, left, "of limiter {}", place);
        }
        // Not all calls that wait have room. If no other call is in the way, none has.
        let has_room = |call: &Asked| call.levels.iter().all(|level| self.room_at(*level, call) <= now);
        prop_assert!(self.waiting().next().is_none() || !self.waiting().all(has_room));
        let shares = |one: &Asked, other: &Asked| one.levels.iter().any(|level| other.levels.contains(level));
        for call in self.waiting() {
            let alone = self.waiting().filter(|other| shares(call, other)).count() == 1;
            prop_assert!(!alone || !has_room(call), "a call waits, and nothing is in its way");
        }
        Ok(())
    }

    /// Polls all calls. Notes those that have departed, in the order of time.
    fn note_departures(&mut self) -> Result<(), TestCaseError> {
        let mut new = Vec::new();
        for (place, call) in self.calls.iter_mut().enumerate() {
            let State::Waits(waiting) = &mut call.state else { continue };
            if let Some(outcome) = waiting.over() {
                let permit = outcome.expect("nothing refuses it");
                let waited = u64::try_from(permit.waited().as_nanos()).expect("it fits");
                call.state = State::Has(permit);
                new.push((call.arrived + waited, place));
            }
        }
        new.sort_unstable();
        for (at, place) in new {
            let call = &self.calls[place];
            for level in &call.levels {
                let room = self.room_at(*level, call);
                prop_assert!(room <= at, "it departed at {at}, and limiter {level} had room at {room}");
                let amounts = call.takes(call.amount, self.shares[*level].as_ref());
                self.histories[*level].push(Charge { call: place, at, amounts });
            }
            // Calls of the same first limiter and priority queue there in the order of arrival.
            let alike = |before: &&usize| {
                let before = &self.calls[**before];
                (before.levels[0], before.priority) == (call.levels[0], call.priority)
            };
            let mut earlier = self.departed.iter().filter(alike);
            prop_assert!(earlier.all(|before| *before < place), "{place} departed after a later call");
            self.departed.push(place);
        }
        Ok(())
    }
}

#[test]
fn a_run_with_all_kinds_of_moves_is_possible() {
    let mut world = World::new(&[(10, None), (20, None)]);
    let whole = || Move::Arrive(vec![1, 0, 1], 100, Priority::Normal);
    for next in [whole(), Move::Settle(0, 150), whole(), whole(), Move::Drop(1), Move::Advance(1_600_000_000)]
    {
        world.make(&next);
        world.check().expect("it agrees");
    }
    assert_eq!(world.departed, [0, 1]);
    assert_eq!(world.clock.now(), secs(0) + nanos(1_600_000_000));
}
