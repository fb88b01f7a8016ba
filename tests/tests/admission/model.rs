//! The limiter compared with the model. Both admit each call in the same nanosecond.
//!
//! The limiter may backdate the charge of a call that reaches the head because the call before it
//! left. The model does not backdate. So one property has no jitter, and with it no backdating. The
//! other has jitter, but no call leaves the head of the queue.

use openlimit::testing::ManualClock;
use openlimit::{Percent, Permit, Priority, Usage};
use openlimit_tests::model::{Limit, Model};
use openlimit_tests::random::{NAMES, admissible, builder, cost, limits};
use openlimit_tests::{Call, nanos, nanos_of};
use proptest::collection::vec;
use proptest::prelude::*;

/// A step of a random run. A `usize` selects one of the existing calls, modulo their number.
#[derive(Clone, Debug)]
enum Move {
    Arrive(Priority, Vec<u64>),
    Advance(u64),
    /// All calls are polled.
    Look,
    /// A call that waits, or that was granted but not polled since, is dropped.
    Drop(usize),
    /// A permit is dropped.
    End(usize),
    Cancel(usize),
    Settle(usize, usize, u64),
}

enum Party {
    Asks(Call),
    Has(Permit),
    Gone,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_is_admitted_when_the_model_admits_it(
        limits in limits(Just(0)),
        moves in vec(any_move(0), 1..90),
    ) {
        play(&limits, None, None, &moves, true)?;
    }

    #[test]
    fn with_jitter_too_as_long_as_nobody_leaves_the_head_of_the_queue(
        limits in limits(0..200_000_000_u64),
        moves in vec(any_move(1), 1..90),
    ) {
        play(&limits, None, None, &moves, false)?;
    }

    #[test]
    fn with_a_concurrency_too(
        limits in limits(Just(0)),
        concurrency in 1..5_u32,
        moves in vec(any_move(0), 1..60),
    ) {
        play(&limits, Some(concurrency), None, &moves, true)?;
    }

    #[test]
    fn with_a_concurrency_and_jitter_too(
        limits in limits(0..200_000_000_u64),
        concurrency in 1..5_u32,
        moves in vec(any_move(1), 1..60),
    ) {
        play(&limits, Some(concurrency), None, &moves, false)?;
    }

    #[test]
    fn with_a_reserve_too(
        limits in limits(Just(0)),
        concurrency in prop_oneof![3 => Just(None), 1 => (1..5_u32).prop_map(Some)],
        reserve in reserve(),
        moves in vec(any_move(0), 1..90),
    ) {
        play(&limits, concurrency, Some(reserve), &moves, true)?;
    }

    #[test]
    fn with_a_reserve_and_jitter_too(
        limits in limits(0..200_000_000_u64),
        reserve in reserve(),
        moves in vec(any_move(1), 1..90),
    ) {
        play(&limits, None, Some(reserve), &moves, false)?;
    }
}

fn reserve() -> impl Strategy<Value = (Priority, u8)> {
    (prop_oneof![Just(Priority::Normal), Just(Priority::High)], prop_oneof![1..100_u8, Just(20), Just(50)])
}

fn any_move(least: u64) -> impl Strategy<Value = Move> {
    let amount = prop_oneof![least..3, least..50, least..3_000];
    let time = prop_oneof![0..1_000_u64, 0..1_000_000_000_u64, 0..100_000_000_000_000_u64];
    let priority = prop_oneof![Just(Priority::Low), Just(Priority::Normal), Just(Priority::High)];
    prop_oneof![
        6 => (priority, vec(amount, 3)).prop_map(|(priority, amounts)| Move::Arrive(priority, amounts)),
        6 => time.prop_map(Move::Advance),
        3 => Just(Move::Look),
        2 => any::<usize>().prop_map(Move::Drop),
        2 => any::<usize>().prop_map(Move::Cancel),
        3 => any::<usize>().prop_map(Move::End),
        3 => (any::<usize>(), 0..3_usize, 0..300_u64).prop_map(|(which, dimension, used)| {
            Move::Settle(which, dimension, used)
        }),
    ]
}

/// Runs the moves on the limiter and on the model.
fn play(
    limits: &[Limit],
    concurrency: Option<u32>,
    reserve: Option<(Priority, u8)>,
    moves: &[Move],
    give_back: bool,
) -> Result<(), TestCaseError> {
    let clock = ManualClock::new();
    let mut model = Model::new(limits.to_vec());
    let mut builder = builder(limits, &clock);
    if let Some(calls) = concurrency {
        builder = builder.concurrency(calls);
        model = model.with_concurrency(calls as usize);
    }
    if let Some((priority, percent)) = reserve {
        builder = builder.reserve((priority, Percent(percent)));
        model = model.with_reserve(priority, percent);
    }
    let limiter = builder.build().expect("the limits are valid");
    let mut parties = Vec::new();
    let mut asked: Vec<(u64, Vec<u64>)> = Vec::new();
    for next in moves {
        match next {
            Move::Arrive(priority, amounts) => {
                let amounts = admissible(limits, amounts);
                model.arrive(parties.len(), *priority, amounts.clone());
                parties.push(Party::Asks(Call::start(
                    limiter.acquire(cost(limits, &amounts)).priority(*priority),
                )));
                asked.push((nanos_of(&clock), amounts));
                // Polls the call, so that one admitted at once does not count as waiting.
                let call = parties.len() - 1;
                look_at(call, &mut parties[call], &asked[call], &model)?;
            }
            Move::Advance(by) => {
                model.advance(*by);
                clock.advance(nanos(*by));
            }
            Move::Look => look(&mut parties, &asked, &model)?,
            Move::Drop(which) => {
                let Some(call) = nth(&parties, *which, |party| matches!(party, Party::Asks(_))) else {
                    continue;
                };
                let waits = model.admitted(call).is_none();
                if give_back || waits && model.head() != Some(call) {
                    parties[call] = Party::Gone;
                    model.cancel(call);
                }
            }
            Move::End(which) => {
                if let Some((call, permit)) = take_permit(&mut parties, *which) {
                    drop(permit);
                    model.end(call);
                }
            }
            Move::Cancel(which) if give_back => {
                if let Some((call, permit)) = take_permit(&mut parties, *which) {
                    permit.cancel();
                    model.cancel(call);
                }
            }
            Move::Settle(which, dimension, used) if give_back => {
                if let Some((call, permit)) = take_permit(&mut parties, *which) {
                    // A `Usage` always includes a number of tokens.
                    let tokens = asked[call].1[1];
                    permit.settle(Usage::from(tokens).with(NAMES[*dimension], *used));
                    if limits.iter().any(|limit| limit.dimension == *dimension) {
                        model.settle(call, *dimension, *used);
                    } else {
                        model.end(call);
                    }
                }
            }
            Move::Cancel(_) | Move::Settle(..) => {}
        }
    }
    const LONG: u64 = 1 << 57;
    // Those in flight end, so that the next can go: with a concurrency of one, call by call.
    for _ in 0..=moves.len() {
        model.advance(LONG);
        clock.advance(nanos(LONG));
        look(&mut parties, &asked, &model)?;
        while let Some((call, permit)) = take_permit(&mut parties, 0) {
            drop(permit);
            model.end(call);
        }
    }
    prop_assert!(!parties.iter().any(|party| matches!(party, Party::Asks(_))), "a call was never admitted");
    Ok(())
}

/// Polls all calls and compares their times of admission with the model.
fn look(parties: &mut [Party], asked: &[(u64, Vec<u64>)], model: &Model) -> Result<(), TestCaseError> {
    let mut all = parties.iter_mut().zip(asked).enumerate();
    all.try_for_each(|(call, (party, asked))| look_at(call, party, asked, model))
}

fn look_at(
    call: usize,
    party: &mut Party,
    asked: &(u64, Vec<u64>),
    model: &Model,
) -> Result<(), TestCaseError> {
    let Party::Asks(asks) = party else { return Ok(()) };
    let found = match asks.over() {
        Some(outcome) => {
            let permit = outcome.map_err(|error| TestCaseError::fail(error.to_string()))?;
            let waited = u64::try_from(permit.waited().as_nanos()).unwrap_or(u64::MAX);
            *party = Party::Has(permit);
            Some(asked.0 + waited)
        }
        None => None,
    };
    prop_assert_eq!(found, model.admitted(call), "wrong admission of call {}, {:?}", call, asked);
    Ok(())
}

fn take_permit(parties: &mut [Party], which: usize) -> Option<(usize, Permit)> {
    let call = nth(parties, which, |party| matches!(party, Party::Has(_)))?;
    match std::mem::replace(&mut parties[call], Party::Gone) {
        Party::Has(permit) => Some((call, permit)),
        _ => None,
    }
}

/// Returns one of the calls that match, chosen by `which`.
fn nth(parties: &[Party], which: usize, so: impl Fn(&Party) -> bool) -> Option<usize> {
    let all: Vec<usize> = (0..parties.len()).filter(|call| so(&parties[*call])).collect();
    (!all.is_empty()).then(|| all[which % all.len()])
}
