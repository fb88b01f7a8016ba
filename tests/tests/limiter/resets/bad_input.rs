//! Resets that have no meaning are errors that say what was expected.

use openlimit::{AcquireError, Budget, BuildProblem, Rate, RateLimiter, limiter};
use openlimit_tests::{millis, secs};

/// Returns the message of a limiter that cannot be built.
#[track_caller]
fn error(rate: Rate) -> (BuildProblem, String) {
    let error = RateLimiter::builder().name("daily").requests(rate).build().unwrap_err();
    let text = error.to_string();
    let expected = "limiter `daily` cannot be built: ";
    assert!(text.starts_with(expected), "{text}");
    (error.problem().clone(), text[expected.len()..].to_owned())
}

#[test]
fn a_time_that_is_none_is_an_error() {
    for time in ["25:00", "", "noon", "0:00", "00:00 "] {
        let (problem, text) = error(Rate::per_day(5).resets_at(time, "UTC"));
        assert!(matches!(problem, BuildProblem::ResetTime(_)), "{text}");
        assert!(problem.limit().is_some());
        let expected = format!(
            "the limit of 5 requests / day (resets at {time} UTC) resets at what is no time of day; give hours and \
             minutes, from `00:00` to `23:59`"
        );
        assert_eq!(text, expected);
    }
}

#[test]
fn a_zone_that_is_not_known_is_an_error() {
    for zone in ["Pacific", "America/Los Angeles", "", "../../etc/passwd", "\0"] {
        let (problem, text) = error(Rate::per_day(5).resets_at("00:00", zone));
        assert!(matches!(problem, BuildProblem::ResetZone(_)), "{text}");
        assert!(text.contains(zone) && text.contains("such as `America/Los_Angeles`, or `UTC`"), "{text}");
    }
}

#[test]
fn a_period_without_windows_is_an_error() {
    for rate in [
        Rate::new(5, secs(7 * 86_400)).resets_at("00:00", "UTC"),
        Rate::new(5, secs(7)).resets_at("00:00", "UTC"),
        Rate::new(5, millis(1)).resets_at("00:00", "UTC"),
        Rate::per_hour(5).resets_at("00:00", "America/Los_Angeles"),
    ] {
        let (problem, text) = error(rate);
        assert!(matches!(problem, BuildProblem::ResetPeriod(_)), "{text}");
        assert!(text.contains("a limit can reset every day, every month or, in UTC,"), "{text}");
    }
}

#[test]
fn a_burst_of_a_limit_that_resets_is_an_error() {
    for rate in [
        Rate::per_day(5).resets_at("00:00", "UTC").burst(secs(1)),
        Rate::per_day(5).burst(secs(1)).resets_at("00:00", "UTC"),
        Rate::per_month(5).burst(secs(1)),
        Rate::per_month(5).burst(secs(1)).resets_at("12:00", "UTC"),
    ] {
        let (problem, text) = error(rate);
        assert!(matches!(problem, BuildProblem::ResetBurst(_)), "{text}");
    }
    // That of the limiter has no effect on it.
    let builder = RateLimiter::builder().requests(Rate::per_day(5).resets_at("00:00", "UTC")).burst(secs(1));
    assert!(matches!(builder.build().unwrap_err().problem(), BuildProblem::UnusedBurst(_)));
}

#[test]
fn a_jitter_that_leaves_no_time_to_depart_is_an_error() {
    let rate = Rate::per_minute(5).resets_at("00:00", "UTC");
    let builder = || RateLimiter::builder().requests(rate);
    let error = builder().jitter(secs(31)).build().unwrap_err();
    assert!(
        matches!(error.problem(), BuildProblem::ResetJitter { jitter, .. } if *jitter == secs(31)),
        "{error}"
    );
    assert!(builder().jitter(secs(30)).build().is_ok());
}

#[test]
fn a_static_limiter_says_it_with_every_call() {
    limiter! {
        static WRONG: RateLimiter = { requests: Rate::per_day(5).resets_at("00:00", "Mars/Olympus") };
    }
    let error = WRONG.try_acquire(openlimit::Cost::new()).unwrap_err();
    assert!(
        matches!(&error, AcquireError::Build(_)) && error.to_string().contains("Mars/Olympus"),
        "{error}"
    );
}

#[test]
fn rates_that_reset_are_read_from_text_and_shown_so() {
    for (text, rate) in [
        ("1000 / day, resets at 00:00 UTC", Rate::per_day(1_000).resets_at("00:00", "UTC")),
        (
            "1000 / day, resets at 00:00 America/Los_Angeles",
            Rate::per_day(1_000).resets_at("00:00", "America/Los_Angeles"),
        ),
        ("5 / hour, resets at 00:15 UTC", Rate::per_hour(5).resets_at("00:15", "UTC")),
        ("7 / month, resets at 00:00 UTC", Rate::per_month(7)),
    ] {
        assert_eq!(text.parse::<Rate>().unwrap(), rate);
        assert_eq!(rate.to_string(), text);
    }
    assert_eq!("7 / month".parse::<Rate>().unwrap(), Rate::per_month(7));
    let budget = "$2.50 / month, resets at 06:00 Asia/Tokyo";
    assert_eq!(budget.parse::<Budget>().unwrap().to_string(), budget);
}

#[test]
fn texts_that_have_no_meaning_are_errors() {
    for (text, problem) in [
        ("5 / day, resets at 25:00 UTC", "hours and minutes such as `00:00`"),
        ("5 / day, resets at 00:00 Mars/Olympus", "America/Los_Angeles"),
        ("5 / day, resets at 00:00", "resets at 00:00 UTC"),
        ("5 / day, resets daily", "resets at 00:00 UTC"),
        ("5 / 7 s, resets at 00:00 UTC", "every day, every month"),
        ("$5 / day", "non-negative integer"),
    ] {
        let error = text.parse::<Rate>().unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains(text), "{error}");
    }
}

#[test]
fn equal_resets_are_equal_rates() {
    let rate = |time: &str, zone: &str| Rate::per_day(1).resets_at(time, zone);
    assert_eq!(rate("00:00", "Asia/Tokyo"), rate(&String::from("00:00"), &String::from("Asia/Tokyo")));
    assert_ne!(rate("00:00", "Asia/Tokyo"), rate("00:00", "UTC"));
    assert_ne!(rate("00:00", "UTC"), Rate::per_day(1));
}
