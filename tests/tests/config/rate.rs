//! Rates as text.

use std::time::Duration;

use openlimit::Rate;
use proptest::prelude::*;

#[test]
fn a_rate_is_an_amount_and_a_unit() {
    for (text, rate) in [
        ("200 / minute", Rate::per_minute(200)),
        ("200/minute", Rate::per_minute(200)),
        ("  40_000  /  second ", Rate::per_second(40_000)),
        ("1/hour", Rate::per_hour(1)),
        ("18446744073709551615 / day", Rate::per_day(u64::MAX)),
        ("0 / day", Rate::per_day(0)),
        ("30 / 10 s", Rate::new(30, Duration::from_secs(10))),
        ("30 / 1.5s", Rate::new(30, Duration::from_millis(1_500))),
        ("30 / 1h 30m", Rate::new(30, Duration::from_secs(5_400))),
        ("9 / minute, burst 10 s", Rate::per_minute(9).burst(Duration::from_secs(10))),
        ("9 / minute,burst 250ms", Rate::per_minute(9).burst(Duration::from_millis(250))),
    ] {
        assert_eq!(text.parse::<Rate>().unwrap(), rate, "{text}");
    }
}

#[test]
fn the_error_of_a_rate_says_what_is_wrong() {
    let unit = "the unit must be `second`, `minute`, `hour`, `day`, `month`, or a time such as `10 s`";
    let amount = "the amount must be a non-negative integer below 2^64";
    let burst = "only a burst may follow the comma, such as `200 / minute, burst 10 s`, or a reset, such as \
                 `1_000 / day, resets at 00:00 UTC`";
    for (text, problem) in [
        ("", "a slash and a unit must follow the amount"),
        ("200", "a slash and a unit must follow the amount"),
        ("200 per minute", "a slash and a unit must follow the amount"),
        ("200 / min", unit),
        ("200 / Minute", unit),
        ("200 /", unit),
        ("200 / 10", unit),
        ("200 / -1 s", unit),
        ("200 / minute / 2", unit),
        ("/ minute", amount),
        ("-1 / minute", amount),
        ("+1 / minute", amount),
        ("1.5 / minute", amount),
        ("_1 / minute", amount),
        ("NaN / minute", amount),
        ("1,000 / minute", "a slash and a unit must follow the amount"),
        ("18446744073709551616 / day", amount),
        ("1 / day,", burst),
        ("1 / day, 10 s", burst),
        ("1 / day, burst 10", burst),
        ("1 / day, burst 10 s, burst 9 s", burst),
    ] {
        let error = text.parse::<Rate>().unwrap_err().to_string();
        let expected = format!("expected a rate such as `200 / minute`, found {text:?}: {problem}");
        assert_eq!(error, expected);
    }
}

proptest! {
    #[test]
    fn what_a_rate_shows_is_read_as_the_same_rate(amount: u64, nanos in 1..31 * 86_400_000_000_000_u64) {
        for rate in [Rate::new(amount, Duration::from_nanos(nanos)), Rate::per_minute(amount)] {
            prop_assert_eq!(rate.to_string().parse::<Rate>(), Ok(rate));
        }
    }

    #[test]
    fn no_text_panics(text: String) {
        _ = text.parse::<Rate>();
    }
}
