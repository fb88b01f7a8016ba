//! When the state of a client says nothing any more, so that its key can be forgotten.

use std::time::Duration;

use super::client::Tenant;
use super::world::{SLOW, World};
use crate::backend::Buckets as _;
use crate::bucket::CLIMB;
use crate::error::{StoreError, StoreProblem};
use crate::limits::Amounts;

const SECOND: Duration = Duration::from_secs(1);
/// The time of a call of 100 requests.
const CALL: Duration = Duration::from_millis(100);

fn start() -> (World, Tenant) {
    let mut world = World::start(SLOW);
    let client = world.client();
    (world, client)
}

fn is_as_new(world: &World, client: &Tenant) -> bool {
    client.slots.is_as_new(world.clock)
}

#[test]
fn a_client_is_as_new_once_its_call_has_leaked() {
    let (mut world, mut client) = start();
    assert!(is_as_new(&world, &client));
    client.join([100, 10]);
    world.exchange_while(&mut client, |world, client| {
        assert!(!is_as_new(world, client), "while the batch is in flight");
    });
    assert!(!is_as_new(&world, &client), "while it holds a slot");
    client.all_go();
    assert!(!is_as_new(&world, &client), "while the call is in the bucket");
    world.pass(CALL - Duration::from_nanos(1));
    assert!(!is_as_new(&world, &client), "a moment before it has leaked");
    world.pass(Duration::from_nanos(1));
    assert!(is_as_new(&world, &client));
}

#[test]
fn what_others_took_keeps_a_client_only_as_long_as_it_would_restore_it() {
    let (mut world, mut client) = start();
    let mut other = world.client();
    world.call(&mut other, [100, 10]);
    world.call(&mut client, [0, 1]);
    assert!(!is_as_new(&world, &client));
    world.pass(CALL);
    assert!(is_as_new(&world, &client));
    // It does not know of this one.
    world.call(&mut other, [100, 10]);
    assert!(is_as_new(&world, &client));
}

#[test]
fn a_refund_and_a_debt_have_to_be_sent_first() {
    let (mut world, mut client) = start();
    world.call(&mut client, [100, 10]);
    world.pass(CALL);
    client.slots.owe(&Amounts::Few([50, 0, 0]), world.clock);
    assert!(!is_as_new(&world, &client), "while it owes");
    world.exchange(&mut client);
    assert!(!is_as_new(&world, &client), "while the debt is in the bucket");
    world.call(&mut client, [50, 0]);
    world.give_all_back(&mut client);
    assert!(!is_as_new(&world, &client), "while a refund waits");
    world.exchange(&mut client);
    world.pass(CALL);
    assert!(is_as_new(&world, &client));
}

#[test]
fn a_hold_is_not_forgotten_and_levels_stand_during_it() {
    let (mut world, mut client) = start();
    world.call(&mut client, [100, 10]);
    client.slots.hold(world.clock + 1_000_000_000, world.clock);
    world.exchange(&mut client);
    world.pass(SECOND - Duration::from_millis(1));
    assert!(!is_as_new(&world, &client), "during the hold");
    world.pass(Duration::from_millis(2));
    assert!(!is_as_new(&world, &client), "while the call is in the bucket");
    world.pass(CALL);
    assert!(is_as_new(&world, &client));
    client.slots.hold_limit(1, world.clock + 1_000_000_000, world.clock);
    assert!(!is_as_new(&world, &client), "during the hold of one limit");
    client.slots.exhaust(world.clock, world.clock);
    world.pass(10 * SECOND);
    assert!(!is_as_new(&world, &client), "while a quota is used up");
}

#[test]
fn a_rate_that_differs_is_not_forgotten() {
    let (mut world, mut client) = start();
    world.call(&mut client, [1, 10]);
    assert!(client.slots.cut(0, CLIMB, client.taken[0].0, world.clock));
    world.exchange(&mut client);
    world.pass(4 * SECOND);
    assert!(!is_as_new(&world, &client), "while the rate climbs");
    world.pass(2 * SECOND);
    assert!(is_as_new(&world, &client));
    client.slots.set_rate(0, 1, 2, world.clock);
    world.exchange(&mut client);
    world.pass(SECOND);
    assert!(!is_as_new(&world, &client), "at half of the rate");
}

#[test]
fn an_outage_is_not_forgotten() {
    let (mut world, mut client) = start();
    client.join([1, 10]);
    let error = StoreError::new(&"".into(), StoreProblem::TimedOut(SECOND));
    world.exchange_while(&mut client, |world, client| {
        client.slots.failed(&error, &client.queue, world.clock);
        assert!(!is_as_new(world, client));
    });
    client.all_go();
    world.pass(CALL);
    assert!(is_as_new(&world, &client));
}

#[test]
fn a_client_whose_refund_was_refused_sends_it_again_without_another_call() {
    let (mut world, mut client) = start();
    world.call(&mut client, [100, 10]);
    client.give_back(&Amounts::Few([50, 5, 0]), client.taken[0].0, world.clock);
    world.pass(SECOND);
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    client.slots.take_back();
    client.slots.give_up(world.clock);
    assert!(!is_as_new(&world, &client));
    let again = client.slots.next_batch(&client.queue, world.clock) - world.clock;
    assert!((SECOND.as_nanos()..=15 * SECOND.as_nanos()).contains(&u128::from(again)), "{again}");
    world.pass(15 * SECOND);
    world.exchange(&mut client);
    assert!(is_as_new(&world, &client));
}
