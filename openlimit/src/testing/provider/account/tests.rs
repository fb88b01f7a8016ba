//! Tests of the account, on times that are passed in.

use super::*;
use crate::Percent;
use crate::testing::provider::bucket::StrictBucket;

fn account(requests: u64, tokens: u64, refused_count: bool) -> (AccountState, Instant) {
    let now = Instant::now();
    let minute = Duration::from_secs(60);
    let limit = |dimension: Dimension, amount| {
        StrictBucket::new(
            Limit::new(dimension.name().to_owned(), Rate::per_minute(amount).burst(minute)),
            now,
        )
        .map(|bucket| Box::new(bucket) as Box<dyn Meter>)
    };
    let buckets = [limit(Dimension::Requests, requests), limit(Dimension::Tokens, tokens)];
    let buckets = buckets.into_iter().collect::<Result<_, _>>().expect("sound limits");
    (AccountState { refused_count, ..AccountState::new(buckets) }, now)
}

fn tokens(tokens: u64) -> Charge {
    Charge { tokens, ..Charge::default() }
}

#[track_caller]
fn exceeded(outcome: Result<(), Refusal>, why: &str) -> Exceeded {
    match outcome {
        Err(Refusal::Limit(exceeded)) => exceeded,
        outcome => panic!("{outcome:?}, but {why}"),
    }
}

fn left(account: &mut AccountState, at: Instant) -> Vec<u64> {
    account.standings(at).map(|standing| standing.remaining).collect()
}

#[test]
fn a_refused_call_takes_nothing_from_any_limit() {
    let (mut account, now) = account(60, 1_000, false);
    assert!(account.admit(now, tokens(900)).is_ok());
    let refusal = exceeded(account.admit(now, tokens(200)), "100 are left");
    assert_eq!(refusal.limit.dimension(), &Dimension::Tokens);
    assert_eq!((refusal.used, refusal.requested), (900, 200));
    assert_eq!(refusal.wait, Some(Duration::from_secs(6)));
    assert_eq!(left(&mut account, now), [59, 100]);
}

#[test]
fn a_refused_call_takes_a_request_where_they_count() {
    let (mut account, now) = account(3, 1_000, true);
    assert!(account.admit(now, tokens(1_000)).is_ok());
    (0..4).for_each(|_| assert!(account.admit(now, tokens(1)).is_err()));
    assert_eq!(left(&mut account, now), [0, 0]);
    assert!(account.admit(now + Duration::from_secs(20), tokens(1)).is_ok());
}

#[test]
fn the_limit_that_asks_for_the_longest_wait_is_named() {
    let (mut account, now) = account(1, 60_000, false);
    assert!(account.admit(now, tokens(60_000)).is_ok());
    let refusal = exceeded(account.admit(now, tokens(1_000)), "both are empty");
    assert_eq!(refusal.limit.to_string(), "1 requests / minute");
    assert_eq!(refusal.wait, Some(Duration::from_secs(60)));
}

#[test]
fn a_call_above_the_whole_limit_is_refused_for_ever() {
    let (mut account, now) = account(60, 1_000, false);
    let refusal = exceeded(account.admit(now, tokens(1_001)), "it is above the limit");
    assert_eq!(refusal.wait, None);
    assert!(account.admit(now, tokens(1_000)).is_ok());
}

#[test]
fn a_call_above_the_whole_limit_counts_as_a_request_where_the_refused_count() {
    let (mut account, now) = account(60, 1_000, true);
    assert!(account.admit(now, tokens(1_001)).is_err());
    assert_eq!(left(&mut account, now), [59, 1_000]);
}

#[test]
fn a_provider_without_limits_admits_everything() {
    let mut account = AccountState { refused_count: true, ..AccountState::default() };
    assert!(account.admit(Instant::now(), tokens(u64::MAX)).is_ok());
    assert_eq!(account.standings(Instant::now()).count(), 0);
}

#[test]
fn a_correction_takes_effect_at_its_time() {
    let (mut account, now) = account(60, 1_000, false);
    let later = now + Duration::from_secs(3);
    assert!(account.admit(now, tokens(900)).is_ok());
    account.correct(Correction { at: later, since: now, charged: tokens(900), used: tokens(100) });
    assert_eq!(left(&mut account, later - Duration::from_nanos(1))[1], 149);
    assert_eq!(left(&mut account, later)[1], 950);
    account.correct(Correction { at: later, since: now, charged: tokens(100), used: tokens(600) });
    assert_eq!(left(&mut account, later)[1], 450);
}

#[test]
fn the_calls_of_another_consumer_are_decided_as_of_their_own_times() {
    let run = |steps: u32| {
        let (AccountState { meters, .. }, now) = account(60, 600, false);
        let limits: Vec<_> = meters.iter().map(|meter| meter.limit().clone()).collect();
        let other = OtherConsumer::new(&limits, Percent(100), 1, now);
        let mut account = AccountState { other: Some(other), ..AccountState::new(meters) };
        (1..=steps).for_each(|step| account.catch_up(now + Duration::from_secs(600) * step / steps));
        (account.others(now), left(&mut account, now))
    };
    let (calls, _) = run(1);
    assert!(calls.admitted > 200 && calls.tokens == 10 * calls.admitted, "{calls:?}");
    assert_eq!(run(1), run(997));
}
