//! Clocks that are wrong, clocks that are set, and clients with other rules of a time zone.

use std::time::Duration;

use super::super::world::EPOCH;
use super::{AMOUNT, HOUR, LEAD, RESET, SECOND, assert_left, charge, is_full, leave, start};
use crate::backend::redis::slots::Windows;
use crate::limits::{Calendar, Rate};
use crate::time::Dates;

#[test]
fn the_clock_of_a_client_may_be_wrong_by_any_time() {
    for wrong in [-400 * HOUR.cast_signed(), -1, 1, 3 * HOUR.cast_signed(), i64::MAX / 4] {
        let mut world = start();
        let mut right = world.client();
        let rate = Rate::per_hour(AMOUNT).resets_at("00:00", "UTC");
        let calendar = Calendar::of(rate).unwrap().unwrap();
        let dates = Dates::From(1_000 * EPOCH.cast_signed() + wrong);
        world.windows[0] = Some(Windows::new(calendar, dates));
        let mut client = world.client();
        client.join([1, 0]);
        let first = world.exchange(&mut client);
        world.pass(Duration::from_millis(40));
        let second = world.exchange(&mut client);
        let is_far_off = wrong.unsigned_abs() > HOUR;
        assert_eq!((first.calls.len(), second.calls.len()), if is_far_off { (0, 1) } else { (1, 0) });
        client.all_go();
        charge(&mut world, &mut right, 40);
        assert_left(&mut world, &mut client, 59);
        world.clock = RESET - LEAD;
        assert!(is_full(&mut world, &mut client, 1));
        world.clock = RESET;
        assert_left(&mut world, &mut client, AMOUNT);
        assert_left(&mut world, &mut right, AMOUNT);
    }
}

#[test]
fn a_clock_of_the_server_that_is_set_back_brings_no_second_reset() {
    let mut world = start();
    let mut client = world.client();
    charge(&mut world, &mut client, AMOUNT);
    world.clock = RESET;
    charge(&mut world, &mut client, 70);
    world.set_server_back(Duration::from_secs(1));
    assert_left(&mut world, &mut client, 30);
    world.pass(Duration::from_secs(2));
    assert_left(&mut world, &mut client, 30);
    world.clock = RESET + HOUR + SECOND;
    assert_left(&mut world, &mut client, AMOUNT);
}

#[test]
fn a_clock_of_the_server_that_was_ahead_by_days_blocks_no_window_for_days() {
    let mut world = start();
    let mut client = world.client();
    world.pass(Duration::from_secs(400 * 3_600));
    charge(&mut world, &mut client, 70);
    world.set_server_back(Duration::from_secs(400 * 3_600));
    assert_left(&mut world, &mut client, 30);
    // Its next reset.
    world.clock = RESET + 400 * HOUR;
    assert_left(&mut world, &mut client, AMOUNT);
}

#[test]
fn clients_with_other_rules_of_the_time_zone_have_no_more_resets_than_by_one_of_them() {
    let mut world = start();
    let mut one = world.client();
    let rate = Rate::per_hour(AMOUNT).resets_at("00:20", "UTC");
    let calendar = Calendar::of(rate).unwrap().unwrap();
    world.windows[0] = Some(Windows::new(calendar, Dates::From(1_000 * EPOCH.cast_signed())));
    let mut other = world.client();
    let mut taken = 0;
    while world.clock < RESET + 10 * HOUR {
        world.pass(Duration::from_secs(60));
        let client = if world.random(2) == 0 { &mut one } else { &mut other };
        client.join([10, 0]);
        taken += 10 * world.exchange(client).granted();
        client.all_go();
        leave(&mut world, client);
    }
    // By the rules of each there are eleven or twelve windows until then, or a part of them.
    assert!((9 * AMOUNT..=12 * AMOUNT).contains(&taken), "{taken} in twelve windows");
}
