//! Clients that update their limits at about the same time.

use std::time::Duration;

use super::client::Tenant;
use super::world::{BURST, JITTER, SLOW, World};
use crate::backend::redis::identity::Identity;
use crate::backend::redis::shared::shared;
use crate::backend::redis::slots::{Met, Slots};
use crate::backend::redis::wire::BatchReply;
use crate::backend::{Buckets as _, Starting};
use crate::bucket::Metering;
use crate::limits::{Amounts, Counting, Limit, Rate};
use crate::time::Dates;

/// Calls `act` with a limit of so many requests in a second, and these bursts.
fn with_limits<T>(amount: u64, burst: Duration, act: impl FnOnce(&Starting<'_>) -> T) -> T {
    let rates = [Rate::per_second(amount), Rate::per_second(50_000)];
    let limits = [Limit::new("requests", rates[0]), Limit::new("tokens", rates[1])];
    act(&Starting {
        name: None,
        limits: &limits,
        meterings: &rates.map(|rate| Metering::new(rate, burst, JITTER, (0, 100))),
        dimensions: &[0, 1],
        reserve: None,
        max_hold: 0,
        dates: Dates::From(0),
        on_system_time: true,
    })
}

/// Does the same for limits that are counted in windows, 1 000 requests in a second.
fn in_windows<T>(burst: Duration, act: impl FnOnce(&Starting<'_>) -> T) -> T {
    with_limits(1_000, burst, |limits| {
        let in_windows = |metering: &Metering| Metering { counting: Counting::InWindows, ..*metering };
        let meterings: Vec<_> = limits.meterings.iter().map(in_windows).collect();
        act(&limits.metered_by(&meterings))
    })
}

fn update(slots: &mut Slots, amount: u64, now: u64) {
    with_limits(amount, BURST, |limits| slots.change(limits, None, now)).unwrap();
}

/// Creates a client with the identity of its limits.
fn identified(world: &mut World) -> Tenant {
    identified_as(world, with_limits(1_000, BURST, |limits| shared(limits, &[0, 1])).unwrap().1)
}

fn identified_as(world: &mut World, identity: Identity) -> Tenant {
    let Tenant { slots, .. } = world.client();
    Tenant { slots: slots.identified(identity), ..world.client() }
}

/// Has the next batch of a client decided. Returns the level of its requests, in milliseconds.
fn level_after(world: &mut World, client: &mut Tenant) -> u64 {
    exchange(world, client).buckets[0].level / 1_000_000
}

/// Has the next batch of a client decided.
fn exchange(world: &mut World, client: &mut Tenant) -> BatchReply {
    let batch = client.slots.collect(&client.queue, true, world.clock).unwrap();
    let identity = client.slots.identity().text();
    let reply = world.eval_as(&identity, &client.keys, &batch).unwrap();
    let reply = BatchReply::read(&reply, &[false; 2]).unwrap();
    client.slots.apply(&reply, &client.queue, world.clock, world.clock);
    client.all_go();
    reply
}

#[test]
fn a_state_that_was_lost_is_restored_once_although_one_client_knows_of_a_longer_burst() {
    let mut world = World::start(SLOW);
    let [one, other] = &mut [identified(&mut world), identified(&mut world)];
    one.join([100, 0]);
    assert_eq!(level_after(&mut world, one), 100);
    assert_eq!(level_after(&mut world, other), 100);
    with_limits(1_000, 10 * BURST, |limits| one.slots.change(limits, None, world.clock)).unwrap();
    redis::cmd("FLUSHALL").exec(&mut world.connection).unwrap();
    world.pass(Duration::from_millis(1));
    assert_eq!(level_after(&mut world, other), 99);
    assert_eq!(level_after(&mut world, one), 99);
}

#[test]
fn a_raised_burst_of_limits_in_windows_grants_no_more_than_the_amount_in_a_window() {
    let burst = |millis| Duration::from_millis(millis);
    for (before, after) in [(10, 400), (50, 500), (400, 20)] {
        let (scales, identity) = in_windows(burst(before), |limits| shared(limits, &[0, 1])).unwrap();
        let mut world = World::metered_by(in_windows(burst(before), |limits| {
            [0, 1].map(|limit| limits.meterings[limit])
        }));
        assert_eq!(world.scales[0].fit, scales[0].fit);
        let [one, other] = &mut [0, 1].map(|_| identified_as(&mut world, identity.clone()));
        let mut granted = Vec::new();
        for step in 0..4_000 {
            world.pass(Duration::from_millis(1));
            // The other one takes over what this one updates.
            if step == 2_000 {
                in_windows(burst(after), |limits| one.slots.change(limits, None, world.clock)).unwrap();
                exchange(&mut world, one);
                in_windows(burst(after), |limits| other.slots.change(limits, Some(1), world.clock)).unwrap();
            }
            let client = if step % 2 == 0 { &mut *one } else { &mut *other };
            while client.queue.len() < 20 {
                client.join([1, 0]);
            }
            let reply = exchange(&mut world, client);
            granted
                .extend(reply.calls.iter().filter(|call| call.granted).map(|call| world.clock + call.wait));
        }
        granted.sort_unstable();
        // Each grant begins a window.
        let end = |from: u64| granted.partition_point(|at| *at < from + 1_000_000_000);
        let fullest = granted.iter().enumerate().map(|(first, from)| end(*from) - first).max();
        assert!(
            fullest.is_some_and(|calls| (590..=1_000).contains(&calls)),
            "{fullest:?} of {before} to {after} ms"
        );
    }
}

#[test]
fn a_client_that_updates_twice_is_not_refused_by_an_update_that_came_between() {
    let mut world = World::start(SLOW);
    let [one, other] = &mut [identified(&mut world), identified(&mut world)];
    let mut decide = |slots: &Slots, keys: &[String; 2], batch: &[u8]| {
        world.eval_as(&slots.identity().text(), keys, batch).map_err(|error| {
            let text = error.detail().and_then(|detail| detail.strip_prefix("limits ")).unwrap();
            text.split_once(' ').unwrap().1.to_owned()
        })
    };
    update(&mut other.slots, 700, 1);
    let batch = other.slots.collect(&other.queue, false, 1).unwrap();
    decide(&other.slots, &other.keys, &batch).unwrap();
    // Its first update is the same age as that one. It is refused after the second one was made.
    update(&mut one.slots, 400, 1);
    let batch = one.slots.collect(&one.queue, false, 1).unwrap();
    let theirs = decide(&one.slots, &one.keys, &batch).unwrap_err();
    update(&mut one.slots, 500, 2);
    assert!(matches!(one.slots.meet(&theirs), Met::SameAge), "{theirs}");
    let batch = one.slots.collect(&one.queue, false, 2).unwrap();
    decide(&one.slots, &one.keys, &batch).unwrap();
    assert!(one.slots.identity().limits().starts_with("500 "));
}

#[test]
fn what_is_granted_after_an_update_is_given_back_by_it_although_the_batch_before_had_no_reply() {
    for end in [|slots: &mut Slots| slots.take_back(), |slots: &mut Slots| slots.give_up(1)] {
        let mut world = World::start(SLOW);
        let mut client = identified(&mut world);
        client.join([100, 0]);
        client.slots.collect(&client.queue, true, world.clock).unwrap();
        update(&mut client.slots, 2_000, world.clock);
        end(&mut client.slots);
        assert_eq!(level_after(&mut world, &mut client), 50);
        let (charge, _) = client.taken[0];
        client.give_back(&Amounts::Few([40, 0, 0]), charge, world.clock);
        assert_eq!(level_after(&mut world, &mut client), 30);
    }
}
