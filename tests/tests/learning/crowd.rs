//! What a program uses of its limit if its calls name ten times the output that they need, with the
//! named maximum and with what was learned. A closed loop on simulated time.

use openlimit::testing::ManualClock;
use openlimit::{ChatRateLimiter, Output, Rate};
use openlimit_tests::learning::{Load, Used};
use openlimit_tests::secs;
use serde_json::json;

/// Runs a load on a limiter of 10 000 tokens a second.
fn run(output: Output, burst: u64, takes: u64, seed: u64) -> Used {
    let clock = ManualClock::new();
    let rate = Rate::per_second(10_000).burst(secs(burst));
    let limiter = ChatRateLimiter::builder().clock(&clock).tokens(rate).output(output);
    let limiter = limiter.build().expect("valid options");
    let request = json!({ "model": "gpt-4o", "messages": [], "max_tokens": 1_600 });
    let load = Load { rate: 10_000, burst, takes, callers: 100 + 150 * takes, seed, named: 1_600 };
    load.run(&clock, &limiter, &limiter.cost(&request).expect("a price"))
}

/// The seeds of the random numbers.
const SEEDS: [u64; 3] = [1, 2, 3];

/// Asserts that calls with learned outputs use this share of the limit on average, and exceed the
/// bound by at most so many seconds.
#[track_caller]
fn uses(burst: u64, takes: u64, share: f64, excess: f64) {
    let all = SEEDS.map(|seed| run(Output::Learned, burst, takes, seed));
    let used = all.iter().map(|used| used.share).sum::<f64>() / SEEDS.len() as f64;
    let worst = all.iter().map(|used| used.excess).fold(0.0, f64::max);
    println!(
        "burst {burst} s, calls of {takes} s: {:.1} % used, {worst:.2} s beyond the bound",
        100.0 * used
    );
    assert!(used >= share, "{all:?}, expected a share of {share}");
    assert!(worst <= excess, "{all:?}, expected an excess of at most {excess} s");
}

#[test]
fn with_a_burst_of_1_s_short_calls_use_the_whole_limit() {
    uses(1, 1, 0.98, 0.5);
}

#[test]
fn with_a_burst_of_1_s_calls_of_5_s_use_four_fifths_of_the_limit() {
    uses(1, 5, 0.80, 0.5);
}

#[test]
fn with_a_burst_of_1_s_calls_of_20_s_use_most_of_the_limit() {
    uses(1, 20, 0.70, 0.5);
}

#[test]
fn with_a_burst_of_10_s_calls_of_5_s_use_the_whole_limit() {
    uses(10, 5, 0.98, 2.0);
}

#[test]
fn with_a_burst_of_10_s_calls_of_20_s_use_the_whole_limit() {
    uses(10, 20, 0.98, 2.0);
}

#[test]
fn with_the_named_maximum_a_program_uses_little_of_its_limit_and_the_status_says_why() {
    let used = run(Output::Named, 1, 5, 1);
    let slower = run(Output::Named, 1, 20, 1);
    println!("calls of 5 s: {:.1} % used, of 20 s: {:.1} %", 100.0 * used.share, 100.0 * slower.share);
    assert!(used.share < 0.15 && used.excess == 0.0, "{used:?}");
    let returned = used.returned;
    let late = returned.late;
    assert!(returned.unused > returned.reserved / 10 * 8 && late > returned.unused / 10 * 7, "{returned:?}");
    let expected = "% came too late: raise `burst` or set `output: Learned`)";
    assert!(
        used.status.contains("(settled calls gave back 8") && used.status.ends_with(expected),
        "{}",
        used.status
    );
}
