//! Closed loops that reserve more than they use. The limiter admits each call in the same
//! nanosecond as a model with exact refunds, so both use the same share of the limit. The limiter
//! stays within the bound.

use openlimit_tests::closed_loop::{Library, Work, excess, run, share};
use openlimit_tests::exact::Exact;
use openlimit_tests::model::Limit;
use openlimit_tests::random::admissible;
use proptest::collection::vec;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

/// The maximum difference between the share of the limiter and the share with exact refunds.
const TOLERANCE: f64 = 0.005;

/// A closed loop on one limit.
#[derive(Clone, Debug)]
struct Loop {
    limit: Limit,
    callers: Vec<Vec<Work>>,
    /// The duration of the run, in nanoseconds.
    time: u64,
}

/// Returns a loop on a limit per second with the default jitter. Each call lasts a second.
fn fixed(amount: u64, burst: u64, callers: usize, reserves: u64, uses: u64) -> Loop {
    let (burst, jitter) = (burst * SECOND, 50 * MILLISECOND);
    let limit = Limit { dimension: 1, amount, period: SECOND, burst, jitter, headroom: 0 };
    let work = Work { reserves, uses, holds: SECOND };
    Loop { limit, callers: vec![vec![work]; callers], time: 120 * SECOND }
}

/// Returns the share of the limit used in the second half of the run, after the burst is used up.
#[track_caller]
fn steady(of: &Loop) -> f64 {
    let log = run(&of.callers, of.time, &mut Library::new(&of.limit));
    assert_eq!(excess(&of.limit, &log, &of.callers), None);
    assert!(log == run(&of.callers, of.time, &mut Exact::new(of.limit.clone())), "the logs differ");
    share(&of.limit, &log, of.time / 2, of.time)
}

#[track_caller]
fn is_about(share: f64, expected: f64) {
    assert!((share - expected).abs() <= TOLERANCE, "the loop used {share} of the limit, not {expected}");
}

#[test]
fn calls_that_use_half_of_what_they_reserve_use_the_limit_but_for_what_leaks_meanwhile() {
    is_about(steady(&fixed(100_000, 1, 256, 1_000, 500)), 0.970);
}

#[test]
fn calls_that_use_a_tenth_of_what_they_reserve_use_a_limit_with_a_long_burst() {
    is_about(steady(&fixed(100_000, 10, 256, 4_000, 400)), 0.999);
}

#[test]
fn few_callers_that_use_a_tenth_of_what_they_reserve_use_a_limit_with_a_long_burst() {
    is_about(steady(&fixed(10_000, 10, 32, 4_000, 400)), 1.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_loop_uses_what_exact_refunds_allow(of in any_loop(0..1_u64)) {
        play(&of)?;
    }

    /// The jitter may be longer than the burst. It spaces out the calls that do not fit beside it.
    #[test]
    fn a_loop_with_jitter_uses_what_exact_refunds_allow(
        of in prop_oneof![any_loop(1..200_u64), any_loop(1..1_500_u64)],
    ) {
        play(&of)?;
    }
}

/// Generates loops whose calls together reserve between a fifth of the burst and six times the
/// burst. Each call reserves at most twice the burst. Jitter is in thousandths of the burst.
fn any_loop(jitter: std::ops::Range<u64>) -> impl Strategy<Value = Loop> {
    let period = prop_oneof![Just(SECOND), Just(60 * SECOND), Just(86_400 * SECOND)];
    let headroom = prop_oneof![Just(0), Just(1), Just(20)];
    let limit = (1_000..1_000_000_u64, period, 10..3_000_u64, jitter, headroom);
    let limit = limit.prop_map(|(amount, period, burst, jitter, headroom)| {
        let burst = period / 1_000 * burst;
        Limit { dimension: 1, amount, period, burst, jitter: burst / 1_000 * jitter, headroom }
    });
    // Percentages of an equal part, of the reserved amount and of the duration of the burst.
    let used = prop_oneof![4 => 0..100_u64, 1 => 100..150_u64];
    let work = (50..150_u64, used, 5..300_u64);
    let callers = vec(vec(work, 1..4), 1..100);
    (limit, callers, 20..600_u64).prop_map(move |(limit, callers, size)| {
        let part = limit.burst_amount() * size / 100 / callers.len() as u64;
        let work = |(reserves, uses, holds): (u64, u64, u64)| {
            let reserves = (part * reserves / 100).min(2 * limit.burst_amount());
            let reserves = admissible(std::slice::from_ref(&limit), &[0, reserves])[1].max(1);
            Work { reserves, uses: reserves * uses / 100, holds: limit.burst / 100 * holds }
        };
        let callers = callers.into_iter().map(|list| list.into_iter().map(work).collect()).collect();
        Loop { time: 12 * limit.burst, callers, limit }
    })
}

/// Runs a loop on the limiter and on the model.
fn play(of: &Loop) -> Result<(), TestCaseError> {
    let Loop { limit, callers, time } = of;
    let library = run(callers, *time, &mut Library::new(limit));
    let model = run(callers, *time, &mut Exact::new(limit.clone()));
    prop_assert_eq!(excess(limit, &library, callers), None);
    let shares = [&library, &model].map(|log| share(limit, log, 2 * limit.burst, *time));
    prop_assert!((shares[0] - shares[1]).abs() <= TOLERANCE, "{:?}", shares);
    let differs = library.iter().zip(&model).find(|(library, model)| library != model);
    prop_assert_eq!(differs, None);
    prop_assert_eq!(library.len(), model.len());
    Ok(())
}
