//! Tests the script, the ledger and the slots against a real server.
//!
//! The tests see the moment of every grant. So they check the bound to the nanosecond, whatever the
//! machine does meanwhile. Tests with processes and faults are in the `tests` crate.

use std::time::Duration;

use self::client::Tenant;
use self::world::{FAST, SLOW, World};
use crate::backend::Buckets as _;
use crate::backend::redis::wire::Decision;
use crate::limits::{Amounts, Priority, Rate};
use crate::queue::{Refusal, Urgency, Waiter};

mod alone;
mod announced;
mod as_new;
mod client;
mod closed_loop;
mod crowd;
mod everything;
mod exhausted;
mod far;
mod foreign;
mod held;
mod learned;
mod limit_holds;
mod member;
mod observed;
mod pace;
mod refunds;
mod reserve;
mod resets;
mod restored;
mod server;
mod shared_key;
mod shares;
mod silence;
mod sizes;
mod stacked;
mod trips;
mod updated;
mod windows;
mod world;

#[test]
fn grants_to_several_clients_stay_within_the_bound_in_every_window() {
    mixed(SLOW);
}

#[test]
fn grants_stay_within_the_bound_where_buckets_run_empty() {
    mixed(FAST);
}

fn mixed(rates: [Rate; 2]) {
    let mut world = World::start(rates);
    let mut clients = [world.client(), world.client(), world.client()];
    clients[1].looks_ahead(100_000_000);
    clients[2].looks_ahead(20_000_000);
    for _ in 0..3_000 {
        let client = &mut clients[world.random(3)];
        match world.random(20) {
            0 => {
                let time = world.random(40) as u64;
                world.pass(Duration::from_millis(time));
            }
            1 => world.give_back(client),
            2 => world.owe(client),
            3 => world.send_again(client),
            _ => {}
        }
        for _ in 0..world.random(4) {
            // Some ask for more than the burst of 200 ms.
            let (requests, tokens) =
                (world.random(3), world.random(400) * if world.random(50) == 0 { 40 } else { 1 });
            client.join([requests as u64, tokens as u64]);
        }
        world.exchange_while(client, |world, client| {
            // Refunds now and then while the batch is in flight.
            if world.random(4) == 0 {
                world.give_back(client);
            }
        });
        client.leave_or_go(&mut world);
    }
    world.check();
}

#[test]
fn grants_stay_within_the_bound_when_the_state_is_lost_again_and_again() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client(), world.client()];
    for step in 0..600 {
        if step % 40 == 39 {
            world.lose_the_state(&clients);
        }
        let client = &mut clients[world.random(3)];
        for _ in 0..world.random(4) {
            let (requests, tokens) = (1 + world.random(2), world.random(400));
            client.join([requests as u64, tokens as u64]);
        }
        world.exchange(client);
        client.all_go();
    }
    world.check();
}

#[test]
fn steady_demand_is_granted_the_whole_limit() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client()];
    for step in 0..400 {
        let client = &mut clients[step % 2];
        client.join([1, 10]);
        client.join([1, 10]);
        world.exchange(client);
        client.all_go();
    }
    // A request weighs a millisecond, and 180 of them fit.
    let (first, last) = (world.granted[0].at, world.granted.last().map_or(0, |call| call.at));
    let least = (800 - 180) * 1_000_000;
    assert!(last - first <= least + 1_000_000, "{} ns instead of {least}", last - first);
    world.check();
}

#[test]
fn calls_that_do_not_fit_beside_the_jitter_are_spaced_by_what_the_burst_does_not_cover() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    // The calls depart at once in this test, so none of them may count as far ahead.
    client.looks_ahead(60_000_000_000);
    for _ in 0..120 {
        world.call(&mut client, [190, 0]);
    }
    let (first, last) = (world.granted[0].at, world.granted[119].at);
    // A call of 190 ms and the jitter of 20 ms are 10 ms more than the burst.
    assert_eq!(last - first, 119 * 200_000_000);
    world.check();
}

#[test]
fn every_limit_is_charged_as_of_the_moment_that_the_slowest_one_allows() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    client.join([180, 0]);
    client.join([100, 9_000]);
    let reply = world.exchange(&mut client);
    assert_eq!(reply.calls[1], Decision { wait: 100_000_000, limit: Some(0), granted: true });
    assert_eq!((reply.buckets[0].level, reply.buckets[1].level), (280_000_000, 280_000_000));
}

#[test]
fn a_call_of_nine_tenths_of_the_burst_is_not_overtaken_by_small_calls_of_other_clients() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client(), world.client()];
    let mut large = world.client();
    clients.iter_mut().chain([&mut large]).for_each(|client| client.looks_ahead(300_000_000));
    // Only calls that were requested before it go first, and no client has more of them than fit
    // into its look-ahead.
    let mut before = 0;
    for step in 0..120 {
        if step == 60 {
            before = world.granted.len();
            large.join([180, 0]);
            let reply = world.exchange(&mut large);
            assert!(reply.calls[0].granted);
        }
        let client = &mut clients[step % 3];
        for _ in 0..10 {
            client.join([1, 0]);
        }
        world.exchange(client);
        client.all_go();
    }
    let turn = world.granted[before];
    assert_eq!(turn.weights[0], 180_000_000);
    assert!(world.granted[before + 1..].iter().all(|later| later.at >= turn.at));
    world.check();
}

#[test]
fn a_call_that_may_not_wait_is_told_of_the_wait_of_a_low_call_that_it_must_not_overtake() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [1, 9_000]);
    client.join_as(Priority::Low, [1, 5_000]);
    let call = Waiter::new(Amounts::Few([1, 1, 0]), world.clock, Urgency::default());
    let low = client.slots.wait_of_next(&[1, 5_000, 0], world.clock);
    match client.slots.would_wait(&call, &client.queue, world.clock) {
        Refusal::WouldWait { wait, limit } => assert_eq!((wait, limit), low),
        refusal => panic!("{refusal:?}"),
    }
    assert!(low.0 > 0);
}

#[test]
fn a_call_that_would_wait_too_long_is_refused_and_charged_nothing() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    one.join([180, 0]);
    world.exchange(&mut one);
    other.wait_at_most = 50_000_000;
    other.join([100, 0]);
    let reply = world.exchange(&mut other);
    assert!(!reply.calls[0].granted && reply.calls[0].wait > 50_000_000 && reply.calls[0].limit == Some(0));
    assert!(reply.buckets[0].level <= 180_000_000);
}

/// Has a call of a random priority join, which asks for more requests the higher it is.
fn join_any(world: &mut World, client: &mut Tenant, tokens: u64) {
    let priorities = [(Priority::Low, 1), (Priority::Normal, 4), (Priority::High, 9)];
    let (priority, requests) = priorities[world.random(3)];
    client.join_as(priority, [requests, tokens]);
}

#[test]
fn slots_serve_the_queue_as_it_is_when_they_are_used() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    let mut went = 0;
    for step in 0..200 {
        for _ in 0..world.random(4) {
            let tokens = world.random(400) as u64;
            join_any(&mut world, &mut client, tokens);
        }
        world.pass(Duration::from_millis(5));
        world.exchange(&mut client);
        // The head may have changed since its slot was requested, and changes again and again.
        for _ in 0..world.random(3) {
            join_any(&mut world, &mut client, 0);
            let most = client.queue.iter().map(|(_, waiter)| waiter.amounts.as_slice()[0]).max();
            if client.one_goes() {
                let (_, amounts) = &client.taken[client.taken.len() - 1];
                assert_eq!(Some(amounts.as_slice()[0]), most, "step {step}");
                went += 1;
            }
        }
        client.check_held();
    }
    assert!(went > 50, "only {went} calls went");
    // The rest is served in order.
    while !client.queue.is_empty() {
        let before = client.taken.len();
        world.exchange(&mut client);
        client.all_go();
        let went: Vec<_> = client.taken[before..].iter().map(|(_, amounts)| amounts.as_slice()[0]).collect();
        assert!(went.is_sorted_by(|one, next| one >= next), "{went:?}");
    }
    world.check();
}

#[test]
fn a_call_that_does_not_fit_waits_for_the_pause_when_the_state_was_lost() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    client.looks_ahead(100_000_000);
    world.call(&mut client, [180, 0]);
    redis::cmd("FLUSHALL").exec(&mut world.connection).unwrap();
    client.join([200, 0]);
    let reply = world.exchange(&mut client);
    // The level is nearly 180, and the jitter is 20.
    assert!(reply.calls[0].wait > 195_000_000, "{reply:?}");
}

#[test]
fn an_older_copy_of_the_state_is_noticed_although_others_were_granted_as_much_since() {
    let mut world = World::start(SLOW);
    let (mut client, mut other) = (world.client(), world.client());
    world.call(&mut client, [20, 0]);
    let copies = world.copies(&client.keys);
    world.call(&mut client, [150, 0]);
    // A replica that lagged takes over, and another client comes first.
    world.restore(&copies);
    world.call(&mut other, [1, 0]);
    world.call(&mut other, [1, 0]);
    client.join([1, 0]);
    let reply = world.exchange(&mut client);
    assert!(reply.buckets[0].level > 165_000_000, "{reply:?}");
    // Nothing of what the copy does not have can be given back.
    client.give_back(&Amounts::Few([150, 0, 0]), client.taken[1].0, world.clock);
    assert_eq!(world.exchange(&mut client).buckets[0].given, 0);
}

#[test]
fn an_older_copy_of_the_state_is_noticed_although_another_state_began_since() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [20, 0]);
    // The buckets stand idle.
    world.pass(Duration::from_secs(10));
    world.learn(&mut client);
    let state = world.copies(&client.keys[..1]);
    for lost in [1, 2] {
        world.call(&mut client, [150, 0]);
        world.restore(&state);
        client.join([1, 0]);
        let reply = world.exchange(&mut client);
        assert!(reply.buckets[0].level > 145_000_000, "{lost}: {reply:?}");
        client.all_go();
        world.pass(Duration::from_secs(1));
    }
}

#[test]
fn an_older_copy_of_the_state_is_noticed_by_a_client_that_came_after_it() {
    let (mut world, mut other, _) = World::of_two();
    let state = world.copies(&other.keys[..1]);
    let mut client = world.client();
    world.call(&mut client, [150, 0]);
    world.restore(&state);
    // Another client comes first, and is granted as many calls.
    world.call(&mut other, [1, 0]);
    client.join([1, 0]);
    let reply = world.exchange(&mut client);
    assert!(reply.buckets[0].level > 145_000_000, "{reply:?}");
}

#[test]
fn a_state_beside_the_one_that_was_seen_was_not_idle_for_it() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [1, 0]);
    let seen = world.copies(&client.keys);
    redis::cmd("FLUSHALL").exec(&mut world.connection).unwrap();
    // The other state stands idle meanwhile.
    let mut other = world.client();
    world.learn(&mut other);
    world.pass(Duration::from_secs(10));
    world.learn(&mut other);
    let beside = world.copies(&client.keys[..1]);
    world.restore(&seen);
    world.call(&mut client, [150, 0]);

    world.restore(&beside);
    client.join([1, 0]);
    let reply = world.exchange(&mut client);
    assert!(reply.buckets[0].level > 145_000_000, "{reply:?}");
}

#[test]
fn a_state_may_live_for_years() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    for _ in 0..40 {
        world.pass(Duration::from_secs(20 * 86_400));
        world.call(&mut one, [100, 0]);
        world.call(&mut other, [80, 0]);
        one.join([1, 0]);
        let reply = world.exchange(&mut one);
        assert_eq!(reply.calls[0].limit, Some(0));
        one.all_go();
    }
    world.check();
}
