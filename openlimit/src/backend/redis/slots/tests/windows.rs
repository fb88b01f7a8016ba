//! Limits that the provider counts in windows: several clients together never get more than the
//! amount in any window of one period.

use std::time::Duration;

use super::world::{Granted, JITTER, World, metering};
use crate::backend::redis::wire::Decision;
use crate::bucket::Metering;
use crate::limits::{Amounts, Counting, Rate};

/// 500 requests and 50 000 tokens, each in a window of one second.
const RATES: [Rate; 2] = [Rate::per_second(500), Rate::per_second(50_000)];
/// The part of them that fits at once, as time of the rate: 25 requests, and 5 000 tokens.
const BURSTS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(100)];

fn in_windows() -> [Metering; 2] {
    [0, 1].map(|limit| Metering {
        burst: BURSTS[limit],
        counting: Counting::InWindows,
        ..metering(RATES[limit])
    })
}

#[test]
fn no_window_of_one_period_is_granted_more_than_the_amount() {
    let mut world = World::metered_by(in_windows());
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
            // Some ask for more than fits, and now and then for everything.
            let large = match world.random(1_500) {
                0 => 100,
                1..12 => 20,
                _ => 1,
            };
            client.join([world.random(3) as u64 * large, 1 + world.random(400) as u64 * large]);
        }
        world.exchange(client);
        client.leave_or_go(&mut world);
    }
    let fullest = check(&mut world);
    assert!(fullest[1] > 30_000, "{fullest:?}");
}

/// Asserts that what is granted in any window of a period, and of the jitter by which departures
/// may be late, is at most the amount. Returns
/// what is granted in the fullest.
fn check(world: &mut World) -> [u64; 2] {
    world.granted.sort_by_key(|call| call.at);
    assert!(world.granted.len() > 300, "{} grants", world.granted.len());
    let window = (Duration::from_secs(1) + JITTER).as_nanos() as u64;
    let mut fullest = [0; 2];
    for (first, from) in world.granted.iter().enumerate() {
        let inside = world.granted[first..].iter().take_while(|call| call.at - from.at < window);
        let sum = inside.fold([0, 0], |sum, call| [0, 1].map(|limit| sum[limit] + call.weights[limit]));
        for limit in [0, 1] {
            let granted = world.scales[limit].whole(sum[limit]);
            assert!(granted <= RATES[limit].amount(), "{granted} of limit {limit} from {} on", from.at);
            fullest[limit] = fullest[limit].max(granted);
        }
    }
    fullest
}

#[test]
fn steady_demand_fills_windows_up_to_the_amount_and_large_calls_do_not_exceed_it() {
    let mut world = World::metered_by(in_windows());
    let mut clients = [world.client(), world.client()];
    for step in 0..20_000 {
        let client = &mut clients[step % 2];
        if client.queue.len() < 10 {
            client.join([1, if step % 1_000 == 999 { 20_000 } else { 250 }]);
        }
        world.exchange(client);
        client.all_go();
    }
    let fullest = check(&mut world);
    assert!(fullest[1] > 49_000, "{fullest:?}");
}

#[test]
fn a_large_call_waits_for_its_window_when_the_state_was_lost() {
    let mut world = World::metered_by(in_windows());
    let mut client = world.client();
    client.looks_ahead(60_000_000_000);
    for _ in 0..10 {
        world.call(&mut client, [10, 1]);
    }
    // The bucket is empty by then, and the client knows that.
    world.pass(Duration::from_millis(400));
    world.call(&mut client, [1, 1]);
    world.pass(Duration::from_millis(10));
    world.lose_the_state(std::slice::from_ref(&client));
    world.call(&mut client, [450, 1]);
    let [first, .., last] = &world.granted[..] else { panic!("they are granted") };
    assert!(last.at - first.at > 1_000_000_000, "{} ns", last.at - first.at);
}

#[test]
fn a_call_of_the_whole_amount_is_granted_for_when_it_is_alone_in_its_window() {
    let mut world = World::metered_by(in_windows());
    let mut client = world.client();
    client.looks_ahead(600_000_000);
    world.call(&mut client, [1, 1]);
    client.join([500, 1]);
    let reply = world.exchange(&mut client);
    let Decision { wait, limit, granted } = reply.calls[0];
    assert!(granted && limit == Some(0));
    // The period and the jitter, of which the first request takes one part of 476.
    assert!((1_019_000_000..1_021_000_000).contains(&wait), "{wait}");
}

#[test]
fn a_large_call_waits_for_one_before_it_as_if_that_had_taken_what_it_used() {
    let wait_behind = |takes: u64, uses: u64, after: u64| {
        let mut world = World::metered_by(in_windows());
        let mut client = world.client();
        client.looks_ahead(1_000_000_000);
        world.call(&mut client, [takes, 0]);
        let began = world.clock;
        world.pass(Duration::from_millis(after));
        client.give_back(&Amounts::Few([takes - uses, 0, 0]), client.taken[0].0, world.clock);
        client.join([450, 0]);
        world.exchange(&mut client).calls[0].wait + world.clock - began
    };
    // A call of 10 flows back in 21 ms, and the pause before one of 450 is 911 ms.
    for after in [100, 500, 800] {
        let expected = wait_behind(10, 10, after);
        assert!((930_000_000..940_000_000).contains(&expected), "{expected}");
        let wait = wait_behind(450, 10, after);
        assert!(wait.abs_diff(expected) < 3_000_000, "{wait} instead of {expected} after {after} ms");
    }
}

/// A call that was granted: its charge and when, the limits that it takes from, and what is not
/// given back of its amounts and weights.
struct Taken {
    charge: u64,
    at: u64,
    takes: [bool; 2],
    amounts: [u64; 2],
    weights: [u64; 2],
}

/// Returns when a bucket is or was empty; `None` if nothing was ever taken.
fn empty_at(taken: &[Taken], limit: usize) -> Option<u64> {
    let taken = taken.iter().filter(|call| call.takes[limit]);
    taken.fold(None, |empty: Option<u64>, call| Some(empty.unwrap_or(0).max(call.at) + call.weights[limit]))
}

#[test]
fn calls_are_granted_for_when_a_history_of_what_was_used_has_room() {
    let mut world = World::metered_by(in_windows());
    let mut client = world.client();
    client.looks_ahead(600_000_000_000);
    let mut taken: Vec<Taken> = Vec::new();
    for step in 0..2_000 {
        let (time, is_long) = (world.random(40) as u64, world.random(2) == 0);
        world.pass(Duration::from_millis(if is_long { 150 * time } else { time }));
        while !taken.is_empty() && world.random(2) == 0 {
            let place = taken.len() - 1 - world.random(taken.len().min(12));
            let call = &mut taken[place];
            let part = call.amounts.map(|amount| world.random(amount as usize + 1) as u64);
            client.give_back(&Amounts::Few([part[0], part[1], 0]), call.charge, world.clock);
            for limit in [0, 1] {
                call.weights[limit] -= world.scales[limit].refund(part[limit], call.charge);
                call.amounts[limit] -= part[limit];
            }
        }
        let large = if world.random(2) == 0 { 30 } else { 1 };
        let amounts = [1 + world.random(15) as u64 * large, world.random(1_500) as u64 * large];
        client.join(amounts);
        let reply = world.exchange(&mut client);
        let now = reply.decided * 1_000;
        let granted = *world.granted.last().expect("it is granted");
        let ready = [0, 1].map(|limit| {
            let (scale, weight) = (&world.scales[limit], granted.weights[limit]);
            let (level, rested) = match empty_at(&taken, limit) {
                _ if weight == 0 => return now,
                Some(empty) => (empty.saturating_sub(now), now.saturating_sub(empty)),
                None => (0, u64::MAX),
            };
            if weight <= scale.fit {
                return now + (level + weight).saturating_sub(scale.fit);
            }
            let pause = (weight + scale.pause).saturating_sub(scale.burst).min(scale.pause);
            now + level + pause.saturating_sub(rested)
        });
        // The calls of a client also wait for those before them, unless these were brought forward.
        let (ready, last) = (ready[0].max(ready[1]), taken.last().map_or(0, |call| call.at));
        let expected = ready..=ready.max(last);
        assert!(expected.contains(&granted.at), "step {step}: {} is not in {expected:?}", granted.at);
        client.all_go();
        let Granted { charge, at, weights, .. } = granted;
        taken.push(Taken { charge, at, takes: amounts.map(|amount| amount > 0), amounts, weights });
    }
}
