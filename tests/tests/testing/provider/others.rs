//! Another consumer of the same limits.

use openlimit::testing::{OtherCalls, Provider, ProviderBuilder};
use openlimit::{Percent, Rate};
use openlimit_tests::{millis, secs};

use super::ask::{chat, number, on_clock, statuses};

fn builder(seed: u64) -> ProviderBuilder {
    let minute = secs(60);
    Provider::builder()
        .requests(Rate::per_minute(6_000).burst(minute))
        .tokens(Rate::per_minute(1_200_000).burst(minute))
        .other_consumer(Percent(70), seed)
}

#[test]
fn another_consumer_takes_its_share_of_each_limit() {
    let (provider, clock) = on_clock(builder(1));
    clock.advance(secs(3_600));
    let others = provider.others();
    // A random share of 0 to 70 %: 35 of 100 calls a second.
    assert!((33 * 3_600..37 * 3_600).contains(&others.admitted), "{others:?}");
    assert_eq!((others.refused, others.tokens), (0, 200 * others.admitted));
    assert_eq!(provider.arrivals(), []);
    assert_eq!(number(&chat(&provider), "x-ratelimit-limit-requests"), 6_000);
}

#[test]
fn its_share_changes_every_two_seconds() {
    let (provider, clock) = on_clock(builder(2));
    let (mut shares, mut before) = (Vec::new(), 0);
    for _ in 0..100 {
        clock.advance(secs(2));
        let calls = provider.others().admitted;
        shares.push(calls - before);
        before = calls;
    }
    // Of 200 calls in two seconds.
    assert!(shares.iter().any(|share| *share < 20), "{shares:?}");
    assert!(shares.iter().any(|share| *share > 110), "{shares:?}");
    assert!(shares.iter().all(|share| *share < 180), "{shares:?}");
}

#[test]
fn it_sees_the_limits_and_is_seen() {
    let (provider, clock) = on_clock(builder(3));
    assert_eq!(number(&chat(&provider), "x-ratelimit-remaining-requests"), 5_999);
    // It refills faster than the other consumer takes.
    clock.advance(secs(10));
    while chat(&provider).status() == 200 {}
    clock.advance(millis(1));
    let others = || provider.others();
    let before = others();
    for _ in 0..200 {
        clock.advance(millis(10));
        while chat(&provider).status() == 200 {}
    }
    // We take everything that refills, and so does it.
    assert!(others().refused > before.refused, "{before:?} {:?}", others());
}

#[test]
fn a_seed_repeats_the_same_calls() {
    let calls = |seed, steps: u32| {
        let (provider, clock) = on_clock(builder(seed));
        (0..steps).for_each(|_| {
            clock.advance(secs(600) / steps);
            let _ = provider.others();
        });
        provider.others()
    };
    assert_eq!(calls(7, 1), calls(7, 600));
    assert_ne!(calls(7, 1), calls(8, 1));
}

#[test]
fn nothing_is_a_share_too_and_a_reset_forgets_its_calls() {
    let nobody = Provider::builder().requests(Rate::per_second(1)).other_consumer(Percent(0), 1);
    let (provider, clock) = on_clock(nobody);
    clock.advance(secs(3_600));
    assert_eq!(provider.others(), OtherCalls::default());

    let (provider, clock) = on_clock(builder(1));
    clock.advance(secs(60));
    assert!(provider.others().admitted > 0);
    provider.reset();
    assert_eq!(provider.others(), OtherCalls::default());
    clock.advance(secs(60));
    assert!(provider.others().admitted > 0);
}

#[test]
fn without_a_limit_on_requests_it_makes_ten_calls_a_second() {
    let tokens = Provider::builder().tokens(Rate::per_second(1_000).burst(secs(60)));
    let (provider, clock) = on_clock(tokens.other_consumer(Percent(100), 1));
    clock.advance(secs(1_000));
    let others = provider.others();
    assert!((4_000..6_000).contains(&others.admitted), "{others:?}");
    assert_eq!(others.tokens, 100 * others.admitted);
    // A limit that no test can use up is taken in larger pieces.
    let huge =
        Provider::builder().requests(Rate::per_second(1_000_000_000_000)).tokens(Rate::per_second(1 << 40));
    let (provider, clock) = on_clock(huge.other_consumer(Percent(100), 1));
    clock.advance(secs(10));
    let others = provider.others();
    assert!((1..11_000).contains(&others.admitted) && others.tokens > 1 << 30, "{others:?}");
    // Without any limit there is nothing to share.
    let (provider, clock) = on_clock(Provider::builder().other_consumer(Percent(100), 1));
    clock.advance(secs(10));
    assert_eq!((provider.others().tokens, statuses(&provider, 1)), (0, vec![200]));
}
