//! Limits that reset by the calendar: several clients together never get more than the amount in a
//! window, and all of it.

use std::time::Duration;

use super::client::Tenant;
use super::world::{EPOCH, JITTER, World, metering};
use crate::backend::Buckets as _;
use crate::backend::redis::wire::BatchReply;
use crate::bucket::Metering;
use crate::limits::{Amounts, Rate};

mod clocks;
mod counts;
mod departures;
mod shares;
mod state;
mod waits;

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;
const LEAD: u64 = JITTER.as_nanos() as u64;

/// The first reset, at 23:00, on the clock of the clients. `EPOCH` is 22:13:20.
const RESET: u64 = 2_800 * SECOND;

/// The amount of a window.
const AMOUNT: u64 = 100;

fn hourly(amount: u64) -> Metering {
    let rate = Rate::per_hour(amount).resets_at("00:00", "UTC");
    Metering::new(rate, rate.period(), JITTER, (0, 100))
}

/// A world in which requests reset every hour, and tokens leak.
pub(super) fn start() -> World {
    World::metered_by([hourly(AMOUNT), metering(Rate::per_second(50_000))])
}

/// Has a call granted in full, and returns its charge.
fn charge(world: &mut World, client: &mut Tenant, requests: u64) -> u64 {
    world.call(client, [requests, 0]);
    assert!(client.queue.is_empty(), "{requests} were not granted");
    client.taken[client.taken.len() - 1].0
}

/// Lets a client learn what the server knows.
fn learn(world: &mut World, client: &mut Tenant) -> BatchReply {
    client.slots.wants_news = true;
    world.exchange(client)
}

/// Cancels all calls that wait.
fn leave(world: &mut World, client: &mut Tenant) {
    client.all_leave();
    client.slots.idle(world.clock);
    // What they were granted is given back.
    world.exchange(client);
}

/// Asks for a call, and cancels it. Returns true if it does not fit.
fn is_full(world: &mut World, client: &mut Tenant, requests: u64) -> bool {
    client.join([requests, 0]);
    let reply = world.exchange(client);
    leave(world, client);
    reply.calls.is_empty()
}

/// Asserts that exactly so much is left of the window.
fn assert_left(world: &mut World, client: &mut Tenant, left: u64) {
    assert!(left == AMOUNT || is_full(world, client, left + 1), "more than {left} are left");
    assert!(left == 0 || !is_full(world, client, left), "less than {left} are left");
}

fn look(world: &World, client: &Tenant) -> (u64, u64) {
    let look = &client.slots.look(world.clock)[0];
    (look.available, look.debt)
}

#[test]
fn no_window_has_more_than_its_amount_and_refunds_and_debts_count_where_they_belong() {
    let mut world = start();
    let mut clients = [world.client(), world.client(), world.client()];
    clients[1].looks_ahead(100_000_000);
    clients[2].looks_ahead(20_000_000);
    // The number of the window, and what it began with and owes by now.
    let (mut window, mut owed, mut fullest) = (0, 0, 0);
    let window_of = |clock: u64| (clock + HOUR - RESET) / HOUR;
    let mut level = 0;
    for _ in 0..4_000 {
        // Between bursts of calls.
        let seconds = if world.random(4) == 0 { world.random(600) as u64 } else { 0 };
        world.pass(Duration::from_millis(seconds * 1_003));
        let client = &mut clients[world.random(3)];
        match world.random(20) {
            0 => world.give_back(client),
            1 => world.give_all_back(client),
            2 => world.send_again(client),
            _ => {}
        }
        let debt = if world.random(40) == 0 { world.random(150) as u64 } else { 0 };
        client.slots.owe(&Amounts::Few([debt, 0, 0]), world.clock);
        for _ in 0..world.random(4) {
            let large = if world.random(60) == 0 { 30 } else { 1 };
            // Some wait in line.
            let tokens = if world.random(8) == 0 { 15_000 } else { world.random(900) as u64 };
            client.join([world.random(4) as u64 * large, 1 + tokens]);
        }
        let reply = world.exchange_while(client, |world, client| {
            if world.random(4) == 0 {
                world.give_back(client);
            }
        });
        if reply.epoch > 0 {
            let now = window_of(world.clock);
            if now > window {
                (window, owed) = (now, u64::saturating_sub(level, AMOUNT * (now - window)));
            }
            owed += debt;
            let clock = |at: u64| at - EPOCH * 1_000;
            let inside = world.granted.iter().filter(|call| window_of(clock(call.at)) == window);
            let taken: u64 = inside.map(|call| call.weights[0]).sum();
            level = owed + taken;
            assert_eq!(reply.buckets[0].level, level, "in window {window}");
            let grants = &world.granted[world.granted.len() - reply.granted() as usize..];
            assert!(level <= AMOUNT || grants.iter().all(|call| call.weights[0] == 0), "{level}");
            assert_eq!(reply.resets_in[0], RESET + window * HOUR - world.clock / 1_000 * 1_000);
            fullest = fullest.max(taken);
        }
        client.leave_or_go(&mut world);
    }
    assert!(window > 60 && fullest == AMOUNT, "{fullest} in {window} windows");
    let last = world.granted.iter().map(|call| (call.at - EPOCH * 1_000 + HOUR - RESET) % HOUR).max();
    assert!(last < Some(HOUR - LEAD));
    world.check_in_tables();
}

#[test]
fn every_unit_of_every_window_is_used_under_demand() {
    let mut world = start();
    let mut clients = [world.client(), world.client(), world.client()];
    while world.clock < RESET + 2 * HOUR {
        world.pass(Duration::from_secs(7));
        for client in &mut clients {
            client.join([1, 1]);
            world.exchange(client);
            client.all_go();
        }
    }
    for window in 0..3 {
        let (from, to) =
            (EPOCH * 1_000 + RESET + window * HOUR - HOUR, EPOCH * 1_000 + RESET + window * HOUR);
        let inside = world.granted.iter().filter(|call| (from..to).contains(&call.at));
        assert_eq!(inside.map(|call| call.weights[0]).sum::<u64>(), AMOUNT, "in window {window}");
    }
}

#[test]
fn limits_that_reset_at_different_times_have_windows_of_their_own() {
    let (hour, minute) = (hourly(AMOUNT), Rate::new(10, Duration::from_secs(60)).resets_at("00:00", "UTC"));
    let minutely = Metering::new(minute, minute.period(), JITTER, (0, 100));
    let mut world = World::metered_by([hour, minutely]);
    let mut clients = [world.client(), world.client()];
    let mut used = Vec::new();
    while world.clock < RESET + HOUR - 10 * SECOND {
        world.pass(Duration::from_secs(5));
        for client in &mut clients {
            client.join([1, 1]);
            let granted = world.exchange(client).granted() as usize;
            used.extend(vec![world.clock; granted]);
            client.all_go();
        }
    }
    let fullest = |time: u64| {
        let windows = used.chunk_by(|one, next| (one + HOUR - RESET) / time == (next + HOUR - RESET) / time);
        windows.map(<[_]>::len).max()
    };
    assert_eq!((fullest(HOUR), fullest(60 * SECOND)), (Some(100), Some(10)));
    assert_eq!(used.len(), 200);
}
