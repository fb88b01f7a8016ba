//! A network that delays one call more than the next, before a strict provider with the same limits
//! and no jitter of its own. The provider refuses no call, however large, if the network delays
//! each by at most half of the jitter. Timers may be late by any time. If they are not, tasks may
//! be: by the other half.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit_tests::model::{Charge, Limit};
use openlimit_tests::random::{admissible, build, cost, limits};
use openlimit_tests::{Call, nanos};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

/// A call, and what happens to it.
#[derive(Clone, Debug)]
struct Delayed {
    amounts: Vec<u64>,
    /// The time since the call before was started, in nanoseconds. No timer fires meanwhile.
    after: u64,
    /// The delay of the timer if the call is then at the head of the queue, in nanoseconds.
    late: u64,
    /// The delay on the network, in nanoseconds, which [`arrivals`] reduces to what may be.
    travels: u64,
    /// The jitter to which the limiter is updated before it is started, in nanoseconds.
    jitter: Option<u64>,
}

/// Returns a limit on tokens with the default jitter.
fn limit(amount: u64, period: u64) -> Limit {
    let jitter = 50 * MILLISECOND;
    Limit { dimension: 1, amount, period, burst: SECOND, jitter, headroom: 0 }
}

/// Lets all calls pass the limiter, and returns them as they arrive at the provider. `pass` moves
/// the clock. The network may take one part of the jitter in so many.
fn arrivals(
    limits: &[Limit],
    calls: &[Delayed],
    pass: impl Fn(&ManualClock, Duration),
    parts: u64,
) -> Vec<Charge> {
    let clock = ManualClock::new();
    let limiter = build(limits, &clock);
    let jitter = Cell::new(limits[0].jitter);
    let mut waiting: VecDeque<(usize, Vec<u64>, Duration, Call)> = VecDeque::new();
    let mut arrived: Vec<Charge> = Vec::new();
    let mut depart = |waiting: &mut VecDeque<(usize, Vec<u64>, Duration, Call)>| {
        while waiting.front_mut().is_some_and(|(.., call)| call.poll())
            && let Some((number, amounts, started, call)) = waiting.pop_front()
        {
            let departs = started + call.admitted().waited();
            let at = departs + nanos(calls[number].travels % (jitter.get() / parts + 1));
            arrived.push(Charge { call: number, at: at.as_nanos() as u64, amounts });
        }
    };
    for (number, call) in calls.iter().enumerate() {
        pass(&clock, nanos(call.after));
        depart(&mut waiting);
        if let Some(other) = call.jitter {
            limiter.update(|limits| limits.jitter(nanos(other))).expect("a valid jitter");
            depart(&mut waiting);
            jitter.set(other);
        }
        let amounts = admissible(limits, &call.amounts);
        let acquire = limiter.acquire(cost(limits, &amounts));
        waiting.push_back((number, amounts, clock.now(), Call::start(acquire)));
        depart(&mut waiting);
    }
    while let Some((number, ..)) = waiting.front() {
        let next = limiter
            .status()
            .expect("a limiter that was built")
            .next
            .expect("the head is due at a known time");
        pass(&clock, next + nanos(calls[*number].late));
        depart(&mut waiting);
    }
    arrived.sort_by_key(|charge| charge.at);
    arrived
}

/// Returns the calls that the provider refuses. It has the limits without jitter and headroom.
fn refused(limits: &[Limit], arrived: &[Charge]) -> Vec<usize> {
    let (mut admitted, mut refused): (Vec<Charge>, Vec<usize>) = (Vec::new(), Vec::new());
    for charge in arrived {
        let has_room = |limit: &Limit| {
            let strict = Limit { jitter: 0, headroom: 0, ..limit.clone() };
            strict.room_at(&admitted, &charge.amounts) <= charge.at
        };
        if limits.iter().all(has_room) {
            admitted.push(charge.clone());
        } else {
            refused.push(charge.call);
        }
    }
    refused
}

#[test]
fn calls_as_large_as_the_burst_or_larger_are_not_refused_after_a_cold_connection() {
    const HALF: u64 = 25 * MILLISECOND;
    for (limit, amount) in [
        (limit(60, 60 * SECOND), 1),
        (limit(3, 60 * SECOND), 1),
        (limit(60_000, 60 * SECOND), 1_000),
        (limit(60_000, 60 * SECOND), 980),
        (limit(60_000, 60 * SECOND), 30_000),
    ] {
        for late in [0, HALF] {
            // A cold connection, then a warm one. The timer is late for the first.
            let call = |number: usize| {
                let (late, travels) = if number.is_multiple_of(2) { (late, HALF) } else { (0, 0) };
                Delayed { amounts: vec![0, amount, 0], after: 0, late, travels, jitter: None }
            };
            let calls: Vec<Delayed> = (0..12).map(call).collect();
            let limits = std::slice::from_ref(&limit);
            let refused = refused(limits, &arrivals(limits, &calls, ManualClock::jump, 2));
            assert!(refused.is_empty(), "{amount} of {limit:?}: calls {refused:?} are refused");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_strict_provider_refuses_no_call_that_the_network_delays_by_half_of_the_jitter(
        limits in limits(0..200_000_000_u64),
        calls in vec(any_call(), 1..60),
        most in prop_oneof![Just(2), Just(50), Just(3_000)],
    ) {
        let calls: Vec<Delayed> = calls.into_iter().map(|call| call.below(most)).collect();
        let refused = refused(&limits, &arrivals(&limits, &calls, ManualClock::jump, 2));
        prop_assert!(refused.is_empty(), "calls {:?} are refused", refused);
    }

    #[test]
    fn nor_one_whose_task_is_late_by_the_other_half(
        limits in limits(0..200_000_000_u64),
        calls in vec(any_call(), 1..60),
        most in prop_oneof![Just(2), Just(50), Just(3_000)],
    ) {
        let calls: Vec<Delayed> =
            calls.into_iter().map(|call| Delayed { late: 0, ..call.below(most) }).collect();
        let refused = refused(&limits, &arrivals(&limits, &calls, ManualClock::advance, 1));
        prop_assert!(refused.is_empty(), "calls {:?} are refused", refused);
    }

    #[test]
    fn nor_one_after_the_jitter_is_lowered_or_raised(
        limits in limits(0..200_000_000_u64),
        calls in vec((any_call(), option::weighted(0.2, 0..200_000_000_u64)), 1..60),
        most in prop_oneof![Just(2), Just(50), Just(3_000)],
        are_late in any::<bool>(),
    ) {
        let calls: Vec<Delayed> = calls.into_iter().map(|(call, jitter)| Delayed {
            late: if are_late { call.late } else { 0 },
            jitter,
            ..call.below(most)
        }).collect();
        let arrived = if are_late {
            arrivals(&limits, &calls, ManualClock::jump, 2)
        } else {
            arrivals(&limits, &calls, ManualClock::advance, 1)
        };
        let refused = refused(&limits, &arrived);
        prop_assert!(refused.is_empty(), "calls {:?} are refused", refused);
    }
}

impl Delayed {
    /// Reduces the amounts to less than `most`.
    fn below(mut self, most: u64) -> Self {
        self.amounts.iter_mut().for_each(|amount| *amount %= most);
        self
    }
}

/// Generates calls. The test reduces the amounts.
fn any_call() -> impl Strategy<Value = Delayed> {
    let after = prop_oneof![3 => Just(0), 1 => 0..200_000_000_u64, 1 => 0..100_000_000_000_u64];
    let late = prop_oneof![Just(0), 0..200_000_000_u64, 0..10_000_000_000_u64];
    let travels = prop_oneof![Just(0), any::<u64>()];
    (vec(0..3_000_u64, 3), after, late, travels).prop_map(|(amounts, after, late, travels)| Delayed {
        amounts,
        after,
        late,
        travels,
        jitter: None,
    })
}
