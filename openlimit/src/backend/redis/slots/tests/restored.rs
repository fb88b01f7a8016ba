//! Holds after the server lost its state, and then something else: a reply, its clock, or its state
//! again.

use std::time::Duration;

use super::client::Tenant;
use super::world::World;
use crate::backend::Buckets as _;

const SECOND: u64 = 1_000_000_000;

/// Returns for how many seconds the server says that all calls are held.
fn held_for(world: &mut World, client: &mut Tenant) -> u64 {
    world.learn(client).held_for / SECOND
}

fn hold(world: &mut World, client: &mut Tenant, seconds: u64) {
    client.slots.hold(world.clock + seconds * SECOND, world.clock);
    world.exchange(client);
}

#[test]
fn a_hold_that_one_client_knows_outlasts_two_losses() {
    let (mut world, mut one, mut other) = World::of_two();
    hold(&mut world, &mut one, 60);
    for _ in 0..2 {
        world.lose_the_state(&[]);
        assert_eq!(held_for(&mut world, &mut other), 0);
    }
    assert_eq!(held_for(&mut world, &mut one), 59);
    assert_eq!(held_for(&mut world, &mut other), 59);
}

#[test]
fn a_reply_that_is_lost_after_the_state_changes_no_hold() {
    for is_over in [false, true] {
        let (mut world, mut one, mut other) = World::of_two();
        if is_over {
            hold(&mut world, &mut other, 60);
            world.learn(&mut other);
            one.slots.release(world.clock);
            world.learn(&mut one);
            hold(&mut world, &mut one, 30);
            one.slots.release(world.clock);
            world.exchange(&mut one);
        } else {
            hold(&mut world, &mut one, 60);
        }
        world.lose_the_state(&[]);
        held_for(&mut world, &mut other);
        let rest = held_for(&mut world, &mut one);
        assert_eq!(rest, if is_over { 0 } else { 59 });
        redis::cmd("DEL").arg(&other.keys[1]).exec(&mut world.connection).unwrap();
        for client in [&mut other, &mut one] {
            assert_eq!(held_for(&mut world, client), rest);
        }
    }
}

#[test]
fn a_hold_that_begins_after_a_loss_stays_however_far_the_clock_was_set_back() {
    for (age, back) in [(0, 500), (10, 500), (10, 20_000), (100, 3_600_000)] {
        let (mut world, mut one, mut other) = World::of_two();
        world.pass(Duration::from_secs(age));
        for client in [&mut one, &mut other] {
            world.learn(client);
        }
        world.lose_the_state(&[]);
        world.set_server_back(Duration::from_millis(back));
        hold(&mut world, &mut one, 60);
        for client in [&mut other, &mut one] {
            assert!(held_for(&mut world, client) >= 59, "{back} ms back after {age} s");
        }
    }
}
