//! The state of limits that reset: who needs it, for how long, and its bounds.

use std::time::Duration;

use super::super::world::{JITTER, World, metering};
use super::{AMOUNT, RESET, charge, hourly, start};
use crate::backend::redis::scale::MOST;
use crate::backend::redis::script::{MOST_LOCAL, Script};
use crate::backend::redis::shared::shared;
use crate::backend::{Buckets as _, Starting};
use crate::bucket::Metering;
use crate::error::{BuildProblem, MOST_SHARED};
use crate::limits::{Limit, Rate};
use crate::time::Dates;

#[test]
fn a_key_is_forgotten_when_its_window_is_over() {
    let mut world = start();
    let mut client = world.client();
    charge(&mut world, &mut client, 1);
    assert!(!client.slots.is_as_new(world.clock));
    assert!(!client.slots.is_as_new(RESET - 1_000));
    assert!(client.slots.is_as_new(RESET));
}

#[test]
fn another_limiter_takes_the_name_over_once_the_window_is_over() {
    let mut world = start();
    let mut client = world.client();
    charge(&mut world, &mut client, 1);
    world.pass(Duration::from_secs(60));
    let keys = [client.keys[0].clone(), "{world}other".to_owned()];
    let batch = client.sent.clone();
    let error = |world: &mut World| {
        let identity = "openlimit 1\nother limits\n";
        world
            .eval_as(identity, &keys, &batch)
            .err()
            .map(|error| error.detail().unwrap_or_default().to_owned())
    };
    let wait = (RESET - world.clock) / 1_000;
    assert_eq!(error(&mut world), Some(format!("limits {wait} of the test")));
    world.clock = RESET;
    assert_eq!(error(&mut world), None);
}

#[test]
fn an_update_takes_over_the_state_of_limits_of_which_only_amounts_and_bursts_differ() {
    let ours = "9 requests / hour, resets at 00:00 UTC (burst 3600s); 5 tokens / second (burst 1.5ms)";
    let reserving = format!("{ours}; reserve 20 % for high");
    let reserving = reserving.as_str();
    for (before, after, is_taken) in [
        (ours, ours.replace("9 req", "10 req").replace("1.5ms", "2s"), true),
        (reserving, reserving.replace("5 tok", "70 tok"), true),
        (ours, ours.replace(", resets at 00:00 UTC", ""), false),
        (ours, ours.replace("00:00", "01:00"), false),
        (ours, ours.replace("tokens", "images"), false),
        (ours, ours.replace("second", "minute"), false),
        (ours, ours.replace("1.5ms", "1.5ms, counted in windows"), false),
        (ours, reserving.to_owned(), false),
        (reserving, reserving.replace("20 %", "10 %"), false),
        (reserving, reserving.replace("high", "normal"), false),
    ] {
        let mut world = start();
        let mut client = world.client();
        charge(&mut world, &mut client, 1);
        let batch = client.sent.clone();
        let mut decide = |limits: &str, client: &str| {
            let keys = ["{world}".to_owned(), format!("{{world}}{client}")];
            world.eval_as(&format!("openlimit 1\n{limits}\n"), &keys, &batch).is_ok()
        };
        assert!(decide(before, "one"));
        assert!(!decide(&after, "other"));
        assert_eq!(decide(&format!("{after}; update 1"), "other"), is_taken, "{after}");
    }
}

#[test]
fn an_update_of_the_jitter_changes_for_how_long_before_a_reset_no_call_departs() {
    let mut world = start();
    let client = world.client();
    let rates = [hourly(AMOUNT).rate, Rate::per_second(50_000)];
    let limits = [Limit::new("requests", rates[0]), Limit::new("tokens", rates[1])];
    let with_jitter = |jitter: Duration| {
        [hourly(AMOUNT), metering(rates[1])].map(|metering| Metering { jitter, ..metering })
    };
    let starting = |meterings: &[Metering; 2], act: &mut dyn FnMut(&Starting<'_>)| {
        act(&Starting {
            name: None,
            limits: &limits,
            meterings,
            dimensions: &[0, 1],
            reserve: None,
            max_hold: 0,
            dates: Dates::From(0),
            on_system_time: true,
        });
    };
    let mut slots = Some(client.slots);
    starting(&with_jitter(JITTER), &mut |starting| {
        let (_, identity) = shared(starting, &[0, 1]).unwrap();
        slots = slots.take().map(|slots| slots.identified(identity));
    });
    let mut slots = slots.unwrap();
    for jitter in [Duration::from_millis(150), Duration::from_millis(10)] {
        starting(&with_jitter(jitter), &mut |starting| slots.change(starting, None, world.clock).unwrap());
        let (_, [.., lead, _]) = slots.windows_to_send(world.clock)[0];
        assert_eq!(u128::from(lead), jitter.as_micros());
        assert_eq!(u128::from(slots.terms.slack()), jitter.as_nanos() / 2);
    }
}

#[test]
fn the_script_has_room_for_as_many_limits_as_can_be_shared_whichever_reset() {
    let mut world = start();
    for bits in [0, 1, 0b1010_1010_1010_1010, 0b0111_1111_0111_1111, 0b1111_1111_1111_1111_u32] {
        for limits in [MOST_SHARED, MOST_SHARED - 1, MOST_LOCAL, MOST_LOCAL - 1] {
            let reset: Vec<_> = (0..limits).map(|limit| bits >> limit & 1 == 1).collect();
            for shares in [0, limits / 2] {
                let mut load = redis::cmd("SCRIPT");
                load.arg("LOAD").arg(&Script::of(&reset, shares).text).exec(&mut world.connection).unwrap();
            }
        }
    }
}

#[test]
fn a_limit_whose_counts_would_not_be_exact_is_refused() {
    let check = |amount: u64| {
        let rate = Rate::per_day(amount).resets_at("00:00", "UTC");
        let (limits, metering) =
            ([Limit::new("x", rate)], Metering::new(rate, rate.period(), JITTER, (0, 1)));
        let starting = Starting {
            name: None,
            limits: &limits,
            meterings: &[metering],
            dimensions: &[0],
            reserve: None,
            max_hold: 0,
            dates: Dates::From(0),
            on_system_time: true,
        };
        shared(&starting, &[0]).map(|(_, identity)| identity)
    };
    let error = check(MOST / 2).unwrap_err();
    assert!(matches!(error, BuildProblem::TooLargeToShare { most, .. } if most == MOST / 2), "{error}");
    // The state outlives a window.
    assert_eq!(check(MOST / 2 - 1).unwrap().lifetime, 2 * 86_400);
}
