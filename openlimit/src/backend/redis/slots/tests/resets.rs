//! Limits that reset by the calendar: several clients together never get more than the amount in a
//! window, and all of it.

use std::time::Duration;

use super::alone::alone_by;
use super::client::Tenant;
use super::world::{EPOCH, JITTER, World, metering};
use crate::backend::redis::scale::{MOST, Scale};
use crate::backend::redis::script::Script;
use crate::backend::redis::shared::shared;
use crate::backend::redis::slots::Windows;
use crate::backend::redis::wire::{BatchReply, Decision};
use crate::backend::{Buckets as _, Due, Starting};
use crate::bucket::Metering;
use crate::error::{BuildProblem, MOST_SHARED, StoreError, StoreProblem};
use crate::limits::{Amounts, Calendar, Limit, Percent, Rate};
use crate::time::Dates;

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
fn start() -> World {
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

fn granted(reply: &BatchReply) -> usize {
    reply.calls.iter().filter(|call| call.granted).count()
}

fn look(world: &World, client: &Tenant) -> (u64, u64) {
    let look = &client.slots.look(world.clock)[0];
    (look.available, look.debt)
}

#[test]
fn no_window_has_more_than_its_amount_and_refunds_and_debts_count_where_they_belong() {
    let mut world = start();
    let mut clients = [world.client(), world.client(), world.client()];
    clients[1].slots.terms.look_ahead = 100_000_000;
    clients[2].slots.terms.look_ahead = 20_000_000;
    // The number of the window, and what it began with and owes by now.
    let (mut window, mut owed, mut fullest) = (0, 0, 0);
    let window_of = |clock: u64| (clock + HOUR - RESET) / HOUR;
    let mut level = 0;
    for _ in 0..4_000 {
        let seconds = world.random(150) as u64;
        world.pass(Duration::from_millis(seconds * 1_003));
        let client = &mut clients[world.random(3)];
        match world.random(20) {
            0 => world.give_back(client),
            1 => world.give_all_back(client),
            2 => world.send_again(client),
            3 => world.forget_scripts(),
            _ => {}
        }
        let debt = if world.random(40) == 0 { world.random(150) as u64 } else { 0 };
        client.slots.owe(&Amounts::Few([debt, 0, 0]), world.clock);
        for _ in 0..world.random(4) {
            let large = if world.random(60) == 0 { 30 } else { 1 };
            client.join([world.random(4) as u64 * large, 1 + world.random(900) as u64]);
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
            let grants = &world.granted[world.granted.len() - granted(&reply)..];
            assert!(level <= AMOUNT || grants.iter().all(|call| call.weights[0] == 0), "{level}");
            assert_eq!(reply.resets_in[0], RESET + window * HOUR - world.clock / 1_000 * 1_000);
            fullest = fullest.max(taken);
        }
        client.leave_or_go(&mut world);
    }
    assert!(window > 60 && fullest == AMOUNT, "{fullest} in {window} windows");
    let last = world.granted.iter().map(|call| (call.at - EPOCH * 1_000 + HOUR - RESET) % HOUR).max();
    assert!(last < Some(HOUR - LEAD));
}

#[test]
fn every_unit_of_every_window_is_used_under_demand() {
    let mut world = start();
    let mut clients = [world.client(), world.client(), world.client()];
    while world.clock < RESET + 5 * HOUR {
        world.pass(Duration::from_secs(7));
        for client in &mut clients {
            client.join([1, 1]);
            world.exchange(client);
            client.all_go();
        }
    }
    for window in 0..6 {
        let (from, to) =
            (EPOCH * 1_000 + RESET + window * HOUR - HOUR, EPOCH * 1_000 + RESET + window * HOUR);
        let inside = world.granted.iter().filter(|call| (from..to).contains(&call.at));
        assert_eq!(inside.map(|call| call.weights[0]).sum::<u64>(), AMOUNT, "in window {window}");
    }
}

#[test]
fn a_call_that_does_not_fit_is_asked_for_at_the_reset_and_once_a_second_before() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    charge(&mut world, &mut one, 40);
    let given = charge(&mut world, &mut other, 60);
    // Returns when the client asks again.
    let ask = |world: &mut World, one: &mut Tenant| {
        assert!(world.exchange(one).calls.is_empty());
        let (_, head) = one.queue.head().unwrap();
        assert_eq!(one.slots.due(head, world.clock), None);
        one.slots.next_work(1, world.clock)
    };
    one.join([30, 0]);
    assert_eq!(ask(&mut world, &mut one), one.slots.seen_at + SECOND);
    // What another client gives back is noticed then.
    other.give_back(&Amounts::Few([60, 0, 0]), given, world.clock);
    world.exchange(&mut other);
    world.pass(Duration::from_secs(1));
    assert!(world.exchange(&mut one).calls[0].granted);
    one.all_go();
    one.join([31, 0]);
    world.clock = RESET - SECOND / 2;
    assert_eq!(ask(&mut world, &mut one), RESET);
    world.clock = RESET;
    assert!(world.exchange(&mut one).calls[0].granted);
}

#[test]
fn nothing_is_granted_in_the_last_jitter_nor_for_a_moment_in_it() {
    let mut world = start();
    let mut client = world.client();
    charge(&mut world, &mut client, 1);
    // The first two are granted by the other limit too late.
    world.clock = RESET - LEAD - 100_000_000;
    for tokens in [9_000, 5_000] {
        client.join([1, tokens]);
    }
    let reply = world.exchange(&mut client);
    assert_eq!(reply.calls.len(), 1);
    client.all_go();
    assert_eq!(client.queue.len(), 1);
    // A call that takes nothing from it is.
    leave(&mut world, &mut client);
    client.join([0, 5_000]);
    assert!(world.exchange(&mut client).calls[0].granted);
    client.all_go();
    world.clock = RESET - LEAD;
    assert!(is_full(&mut world, &mut client, 1));
    world.clock = RESET;
    assert!(!is_full(&mut world, &mut client, AMOUNT));
}

#[test]
fn a_slot_and_a_lease_expire_before_the_last_jitter() {
    let mut world = start();
    let mut client = world.client();
    client.slots.terms.lease = Some(5 * SECOND);
    charge(&mut world, &mut client, 1);
    world.clock = RESET - LEAD - SECOND / 1_000;
    client.join([1, 0]);
    world.exchange(&mut client);
    let slots: Vec<_> = client.slots.slots.iter().map(|slot| (slot.is_lease(), slot.expires)).collect();
    assert_eq!(slots.len(), 2, "{slots:?}");
    assert!(slots.iter().all(|(_, expires)| *expires < RESET - LEAD), "{slots:?}");
    assert!(slots.iter().all(|(_, expires)| *expires > world.clock), "{slots:?}");
    world.clock = RESET - LEAD;
    let (_, head) = client.queue.head().unwrap();
    assert_eq!(client.slots.due(head, world.clock), None);
    assert!(client.slots.take(&[1, 0], world.clock).is_none());
}

#[test]
fn a_lease_takes_no_more_of_a_window_than_the_next_call_or_a_part_of_it() {
    let mut world = start();
    let mut client = world.client();
    // An hour has 100, and so 36 seconds have 1.
    client.slots.terms.lease = Some(40 * SECOND);
    client.slots.lease_for = Some(Amounts::Few([3, 1, 0]));
    world.exchange(&mut client);
    assert_eq!(client.slots.slots[0].amounts.as_slice()[0], 3);
    client.slots.drop_all(world.clock);
    client.slots.terms.lease = Some(360 * SECOND);
    client.slots.lease_for = Some(Amounts::Few([3, 1, 0]));
    world.exchange(&mut client);
    assert_eq!(client.slots.slots[0].amounts.as_slice()[0], 10);
}

#[test]
fn a_refund_gives_back_in_the_window_of_its_charge_and_not_later() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    let early = charge(&mut world, &mut one, 30);
    (0..40).for_each(|_| _ = charge(&mut world, &mut other, 1));
    one.give_back(&Amounts::Few([20, 0, 0]), early, world.clock);
    assert_eq!(world.exchange(&mut one).buckets[0].given, 20);
    assert_left(&mut world, &mut other, 50);
    world.clock = RESET;
    charge(&mut world, &mut other, 60);
    one.give_back(&Amounts::Few([10, 0, 0]), early, world.clock);
    let reply = world.exchange(&mut one);
    assert_eq!((reply.buckets[0].given, reply.buckets[0].late), (0, 10));
    assert_left(&mut world, &mut one, 40);
}

#[test]
fn refunds_of_all_early_calls_count_however_many_came_later() {
    let mut world = start();
    let mut client = world.client();
    let first = charge(&mut world, &mut client, 1);
    let charges: Vec<_> = (0..99).map(|_| charge(&mut world, &mut client, 1)).collect();
    for charge in [first].into_iter().chain(charges) {
        client.give_back(&Amounts::Few([1, 0, 0]), charge, world.clock);
        assert_eq!(world.exchange(&mut client).buckets[0].given, 1);
    }
    assert_left(&mut world, &mut client, AMOUNT);
}

#[test]
fn a_debt_is_taken_from_the_next_windows_also_if_nobody_calls_in_some_of_them() {
    for windows_without_a_call in [0, 1] {
        let mut world = start();
        let mut client = world.client();
        charge(&mut world, &mut client, AMOUNT);
        client.slots.owe(&Amounts::Few([230, 0, 0]), world.clock);
        world.exchange(&mut client);
        assert_eq!(look(&world, &client), (0, 230));
        if windows_without_a_call == 0 {
            world.clock = RESET;
            learn(&mut world, &mut client);
            assert_eq!(look(&world, &client), (0, 130));
        }
        world.clock = RESET + HOUR;
        // Without a reply the client knows it, too.
        assert_eq!(look(&world, &client), (0, 30));
        assert_eq!(client.slots.wait_of_next(&[71, 0], world.clock).0, 0, "which may be old news");
        learn(&mut world, &mut client);
        assert_eq!(client.slots.wait_of_next(&[70, 0], world.clock), (2 * HOUR - (world.clock - RESET), 0));
        assert_eq!(client.slots.wait_of_next(&[71, 0], world.clock), (3 * HOUR - (world.clock - RESET), 0));
        world.clock = RESET + 2 * HOUR;
        assert_left(&mut world, &mut client, 70);
    }
}

#[test]
fn a_call_that_cannot_wait_for_the_reset_is_refused_at_once() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    charge(&mut world, &mut one, AMOUNT);
    other.wait_at_most = 600 * SECOND;
    other.join([1, 0]);
    let reply = world.exchange(&mut other);
    let wait = (RESET - world.clock) / 1_000 * 1_000;
    assert_eq!(reply.calls[0], Decision { wait, limit: Some(0), granted: false });
    assert_eq!(other.slots.wait_of_next(&[1, 0], world.clock), (wait, 0));
    // It waits in vain in the last jitter, too.
    world.clock = RESET - LEAD;
    leave(&mut world, &mut other);
    learn(&mut world, &mut other);
    assert_eq!(other.slots.wait_of_next(&[1, 0], world.clock), (RESET - world.clock, 0));
}

#[test]
fn a_larger_call_than_what_is_in_force_needs_a_whole_window_and_leaves_a_debt() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    charge(&mut world, &mut one, 1);
    one.slots.set_rate(0, 25, 100, world.clock);
    world.exchange(&mut one);
    learn(&mut world, &mut other);
    assert!(is_full(&mut world, &mut other, 60));
    assert_left(&mut world, &mut other, 24);
    world.clock = RESET;
    charge(&mut world, &mut other, 60);
    assert_eq!(look(&world, &other), (0, 35));
    world.clock = RESET + HOUR;
    assert!(is_full(&mut world, &mut one, 1));
    world.clock = RESET + 2 * HOUR;
    assert_left(&mut world, &mut one, 15);
}

#[test]
fn a_lost_state_is_restored_within_the_window_and_gone_after_it() {
    for (later, left) in [(0, 10), (HOUR, AMOUNT)] {
        let mut world = start();
        let (mut one, mut other) = (world.client(), world.client());
        charge(&mut world, &mut one, 50);
        charge(&mut world, &mut other, 40);
        learn(&mut world, &mut one);
        world.lose_the_state(&[]);
        world.clock = RESET - HOUR / 2 + later;
        for client in [&mut one, &mut other] {
            learn(&mut world, client);
        }
        assert_left(&mut world, &mut one, left);
        assert_left(&mut world, &mut other, left);
    }
}

#[test]
fn a_debt_of_a_lost_state_is_restored_once_however_late_others_come() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    charge(&mut world, &mut one, AMOUNT);
    one.slots.owe(&Amounts::Few([60, 0, 0]), world.clock);
    world.exchange(&mut one);
    learn(&mut world, &mut other);
    world.lose_the_state(&[]);
    learn(&mut world, &mut one);
    world.clock = RESET;
    assert_left(&mut world, &mut one, 40);
    learn(&mut world, &mut other);
    assert_left(&mut world, &mut one, 40);
}

#[test]
fn what_responses_say_is_left_counts_in_their_window() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    let first = charge(&mut world, &mut one, 10);
    assert!(one.slots.is_meant(0, Some(first), Some(RESET - world.clock), world.clock));
    assert_eq!(one.slots.granted_since(0, first), None);
    charge(&mut world, &mut other, 5);
    // 40 were left as of the last reply, and 5 were granted since.
    one.slots.cap(0, 40, world.clock);
    let reply = world.exchange(&mut one);
    assert_eq!(reply.buckets[0].level, 65);
    // Charges before are part of that.
    one.give_back(&Amounts::Few([10, 0, 0]), first, world.clock);
    assert_eq!(world.exchange(&mut one).buckets[0].given, 0);
    let again = charge(&mut world, &mut one, 10);
    one.give_back(&Amounts::Few([10, 0, 0]), again, world.clock);
    assert_eq!(world.exchange(&mut one).buckets[0].given, 10);
    // What the provider counts makes no debt.
    one.slots.cap(0, -50, world.clock);
    world.exchange(&mut one);
    assert_eq!(look(&world, &one), (0, 0));
    // A response of this window that is sent in the next one says nothing there.
    world.clock = RESET - SECOND;
    one.slots.cap(0, -50, world.clock);
    world.clock = RESET;
    world.exchange(&mut one);
    assert_left(&mut world, &mut other, AMOUNT);
    assert!(!one.slots.is_meant(0, Some(again), None, world.clock));
    assert!(!one.slots.is_meant(0, None, Some(2 * SECOND), world.clock));
    let third = charge(&mut world, &mut one, 1);
    assert!(one.slots.is_meant(0, Some(third), Some(HOUR), world.clock));
}

#[test]
fn a_response_of_a_window_of_which_the_client_has_seen_nothing_counts_as_it_is() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    charge(&mut world, &mut one, 50);
    world.clock = RESET;
    charge(&mut world, &mut other, 45);
    one.slots.cap(0, 40, world.clock);
    assert_eq!(world.exchange(&mut one).buckets[0].level, 60);
}

#[test]
fn a_batch_that_is_decided_after_the_reset_says_nothing_of_the_new_window() {
    let mut world = start();
    let mut client = world.client();
    charge(&mut world, &mut client, 50);
    // It is made just before the reset, and then a step of the clock passes.
    world.clock = RESET - 100_000;
    client.slots.cap(0, 0, world.clock);
    let reply = learn(&mut world, &mut client);
    assert_eq!((reply.buckets[0].level, client.slots.ledger.level(0)), (0, 0));
    assert_left(&mut world, &mut client, AMOUNT);
}

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
fn clients_with_other_rules_of_the_time_zone_share_the_later_resets() {
    let mut world = start();
    let mut one = world.client();
    let rate = Rate::per_hour(AMOUNT).resets_at("00:20", "UTC");
    let calendar = Calendar::of(rate).unwrap().unwrap();
    world.windows[0] = Some(Windows::new(calendar, Dates::From(1_000 * EPOCH.cast_signed())));
    let mut other = world.client();
    charge(&mut world, &mut one, 60);
    charge(&mut world, &mut other, 40);
    let mut taken = 0;
    while world.clock < RESET + 3 * HOUR {
        world.pass(Duration::from_secs(60));
        for client in [&mut one, &mut other] {
            client.join([10, 0]);
            taken += granted(&world.exchange(client));
            client.all_go();
            leave(&mut world, client);
        }
    }
    assert!((30..=40).contains(&taken), "{taken} in less than four hours");
}

#[test]
fn a_call_beyond_a_hold_that_ends_after_the_reset_waits_for_both() {
    let mut world = start();
    let mut client = world.client();
    charge(&mut world, &mut client, 1);
    world.clock = RESET - SECOND;
    client.slots.hold(RESET + 50_000_000, world.clock);
    world.exchange(&mut client);
    world.clock = RESET - 100_000_000;
    client.join([AMOUNT, 0]);
    assert!(world.exchange(&mut client).calls.is_empty());
    world.clock = RESET;
    let reply = world.exchange(&mut client);
    assert!(reply.calls[0].granted && reply.calls[0].wait > 40_000_000, "{reply:?}");
    let (_, head) = client.queue.head().unwrap();
    let due = client.slots.due(head, world.clock);
    assert!(due.is_some_and(|Due { at, .. }| at >= RESET + 50_000_000), "{due:?}");
}

#[test]
fn a_reset_of_the_limiter_forgets_what_was_taken() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    let before = charge(&mut world, &mut other, 90);
    charge(&mut world, &mut one, 10);
    one.slots.ledger.reset();
    world.exchange(&mut one);
    charge(&mut world, &mut one, 70);
    other.give_back(&Amounts::Few([90, 0, 0]), before, world.clock);
    assert_left(&mut world, &mut other, 30);
}

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

/// What a process took alone in an outage, and what it knew before.
fn go_alone(world: &mut World, took: u64) -> Tenant {
    let meterings = [hourly(AMOUNT), metering(Rate::per_second(50_000))];
    let mut client = alone_by(&meterings, world.client(), Percent(50));
    charge(world, &mut client, 10);
    let error = StoreError::new(&"".into(), StoreProblem::TimedOut(Duration::ZERO));
    client.slots.wants_news = true;
    let _lost = client.slots.collect(&client.queue, false, world.clock).unwrap();
    client.slots.failed(&error, &client.queue, world.clock);
    // Half of what was left, less its part of what was taken.
    assert!(!client.slots.has_room(&[46, 0], world.clock) && client.slots.has_room(&[45, 0], world.clock));
    assert!(client.slots.take(&[took, 0], world.clock).is_some());
    client
}

/// Ends the outage of a client, and lets it tell what it took.
fn come_back(world: &mut World, client: &mut Tenant) {
    client.slots.end_outage(world.clock);
    client.slots.outage = None;
    client.slots.give_up();
    learn(world, client);
    learn(world, client);
}

#[test]
fn what_a_process_took_alone_is_owed_in_the_window_and_gone_at_the_reset() {
    let mut world = start();
    let mut other = world.client();
    let mut alone = go_alone(&mut world, 30);
    charge(&mut world, &mut other, 50);
    world.pass(Duration::from_secs(600));
    come_back(&mut world, &mut alone);
    assert_left(&mut world, &mut other, 10);
    // Over the reset.
    let mut world = start();
    let mut other = world.client();
    let mut alone = go_alone(&mut world, 30);
    world.clock = RESET + SECOND;
    assert!(alone.slots.take(&[20, 0], world.clock).is_some());
    come_back(&mut world, &mut alone);
    assert_left(&mut world, &mut other, 80);
    // It was back just before the reset, and is heard just after it.
    let mut world = start();
    let mut other = world.client();
    let mut alone = go_alone(&mut world, 30);
    world.clock = RESET - 100_000;
    come_back(&mut world, &mut alone);
    assert_left(&mut world, &mut other, AMOUNT);
}

#[test]
fn an_update_changes_the_amount_and_what_was_taken_stays_taken() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    let taken = charge(&mut world, &mut one, 60);
    one.slots.set_rate(0, 50, 100, world.clock);
    learn(&mut world, &mut one);
    let tokens = metering(Rate::per_second(50_000));
    for (amount, left, debt) in [(160, 20, 0), (100, 0, 10)] {
        let pause = Scale::longest_pause(&[hourly(amount), tokens]);
        let scale = Scale::new(&hourly(amount), pause).at_pace_of(&one.slots.scales[0]);
        one.slots.scales[0] = scale;
        assert_eq!(look(&world, &one), (left, debt));
    }
    // Half of it, as the provider has said.
    assert!(is_full(&mut world, &mut one, 1));
    one.give_back(&Amounts::Few([60, 0, 0]), taken, world.clock);
    world.exchange(&mut one);
    learn(&mut world, &mut other);
    charge(&mut world, &mut other, 1);
    assert_left(&mut world, &mut other, 49);
}

#[test]
fn the_script_has_room_for_as_many_limits_as_can_be_shared_whichever_reset() {
    let mut world = start();
    for bits in [0, 1, 0b1010_1010, 0b0111_1111, 0b1111_1111_u32] {
        for limits in [MOST_SHARED, MOST_SHARED - 1] {
            let reset: Vec<_> = (0..limits).map(|limit| bits >> limit & 1 == 1).collect();
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(&Script::of(&reset).text).exec(&mut world.connection).unwrap();
        }
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
            let granted = granted(&world.exchange(client));
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
