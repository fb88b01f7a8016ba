//! What counts in which window: refunds, debts, lost states, responses, outages, and changes.

use std::time::Duration;

use super::super::alone::alone_by;
use super::super::client::Tenant;
use super::super::world::{EPOCH, JITTER, World, metering};
use super::{AMOUNT, HOUR, RESET, SECOND, assert_left, charge, hourly, is_full, learn, look, start};
use crate::backend::Buckets as _;
use crate::backend::redis::scale::Scale;
use crate::backend::redis::settings::KEPT;
use crate::backend::redis::wire::BatchReply;
use crate::bucket::Metering;
use crate::error::{StoreError, StoreProblem};
use crate::limits::{Amounts, Percent, Rate};

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
fn the_state_is_kept_until_the_windows_have_taken_its_debts() {
    let mut world = start();
    let mut client = world.client();
    charge(&mut world, &mut client, AMOUNT);
    client.slots.owe(&Amounts::Few([10 * AMOUNT, 0, 0]), world.clock);
    world.exchange(&mut client);
    let kept = world.kept_for(&client.keys[0]);
    // The world keeps all states for `KEPT` seconds, as if that were two windows.
    assert!(kept >= 11 * KEPT / 2, "{kept}");
}

#[test]
fn a_rate_that_changes_after_a_reset_leaves_no_debt_of_the_window_before() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    charge(&mut world, &mut one, 90);
    world.clock = RESET;
    one.slots.set_rate(0, 25, 100, world.clock);
    assert_eq!(look(&world, &one).1, 0);
    assert_eq!(world.exchange(&mut one).buckets[0].level, 0);
    assert_eq!(learn(&mut world, &mut other).buckets[0].level, 0);
    charge(&mut world, &mut other, 25);
    assert!(is_full(&mut world, &mut one, 1));
}

#[test]
fn what_was_taken_before_the_rate_was_lowered_is_no_debt() {
    for is_lost in [false, true] {
        let mut world = start();
        let (mut one, mut other) = (world.client(), world.client());
        charge(&mut world, &mut one, 90);
        learn(&mut world, &mut other);
        one.slots.set_rate(0, 50, 100, world.clock);
        assert_eq!(world.exchange(&mut one).highest, [AMOUNT]);
        one.slots.set_rate(0, 25, 100, world.clock);
        world.exchange(&mut one);
        learn(&mut world, &mut other);
        let mut new = world.client();
        learn(&mut world, &mut new);
        if is_lost {
            world.lose_the_state(&[]);
            world.pass(Duration::from_millis(1));
            learn(&mut world, &mut one);
        }
        for client in [&mut one, &mut other, &mut new] {
            assert_eq!(look(&world, client), (0, 0));
            assert_eq!(client.slots.wait_of_next(&[25, 0], world.clock), (RESET - world.clock, 0));
            assert!(is_full(&mut world, client, 1));
        }
        world.clock = RESET;
        assert_eq!(learn(&mut world, &mut other).buckets[0].level, 0);
        charge(&mut world, &mut one, 25);
        assert!(is_full(&mut world, &mut new, 1));
        // From then on, the lower amount is that of each window.
        one.slots.owe(&Amounts::Few([40, 0, 0]), world.clock);
        assert_eq!(world.exchange(&mut one).highest, [25]);
        assert_eq!(look(&world, &one), (0, 40));
        world.clock = RESET + HOUR;
        assert_eq!(look(&world, &one), (0, 15));
        assert_eq!(learn(&mut world, &mut other).buckets[0].level, 40);
    }
}

#[test]
fn what_was_used_beyond_the_highest_amount_of_a_window_is_a_debt() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    charge(&mut world, &mut one, AMOUNT);
    one.slots.owe(&Amounts::Few([30, 0, 0]), world.clock);
    one.slots.set_rate(0, 25, 100, world.clock);
    world.exchange(&mut one);
    learn(&mut world, &mut other);
    for client in [&one, &other] {
        assert_eq!(look(&world, client), (0, 30));
        let second = RESET + HOUR - world.clock;
        assert_eq!(client.slots.wait_of_next(&[20, 0], world.clock), (second, 0));
    }
    // Nobody calls in the first window after that.
    world.clock = RESET + HOUR;
    assert_eq!(look(&world, &one), (20, 0));
    assert_eq!(learn(&mut world, &mut other).buckets[0].level, 5);
}

#[test]
fn a_state_that_was_lost_is_restored_by_what_its_own_window_allowed() {
    let mut world = start();
    let mut client = world.client();
    charge(&mut world, &mut client, 90);
    client.slots.set_rate(0, 25, 100, world.clock);
    world.exchange(&mut client);
    world.lose_the_state(&[]);
    // Its batch is made before the reset, and decided after it.
    assert_eq!(decided_at_the_reset(&mut world, &mut client).buckets[0].level, 0);
}

#[test]
fn months_of_any_length_count_as_one_window_each() {
    // The first of each month from December 2023 on, in seconds.
    let firsts = [1_701_388_800, 1_704_067_200, 1_706_745_600, 1_709_251_200, 1_711_929_600_u64];
    for (months, first) in (1_u64..).zip(firsts) {
        for before in [true, false] {
            let rate = Rate::per_month(AMOUNT);
            let monthly = Metering::new(rate, rate.period(), JITTER, (0, 100));
            let mut world = World::metered_by([monthly, metering(Rate::per_second(50_000))]);
            let mut client = world.client();
            charge(&mut world, &mut client, AMOUNT);
            client.slots.owe(&Amounts::Few([500, 0, 0]), world.clock);
            world.exchange(&mut client);
            world.clock = (first - EPOCH / 1_000_000 - u64::from(before)) * SECOND;
            let level = learn(&mut world, &mut client).buckets[0].level;
            assert_eq!(level, 600 - AMOUNT * (months - u64::from(before)), "in month {months}");
        }
    }
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
fn an_older_copy_of_the_state_from_before_the_reset_is_noticed() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    charge(&mut world, &mut one, 50);
    let copies: Vec<_> = one.keys.iter().map(|key| (key.clone(), world.get(key))).collect();
    world.clock = RESET;
    charge(&mut world, &mut one, 40);
    world.lose_the_state(&[]);
    // A replica that lagged takes over, and another client comes first.
    for (key, value) in copies {
        redis::cmd("SET").arg(key).arg(value).exec(&mut world.connection).unwrap();
    }
    charge(&mut world, &mut other, 1);
    learn(&mut world, &mut one);
    // The call of the other one is taken for a part of what is restored, as in any lost state.
    assert_left(&mut world, &mut one, 60);
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
    // What the provider counts makes no debt, also with what was granted since.
    charge(&mut world, &mut other, 5);
    one.slots.cap(0, -50, world.clock);
    assert_eq!(world.exchange(&mut one).buckets[0].level, AMOUNT);
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

/// Has a batch decided at the reset that was made just before it.
fn decided_at_the_reset(world: &mut World, client: &mut Tenant) -> BatchReply {
    world.clock = RESET - SECOND / 1_000;
    client.slots.wants_news = true;
    let batch = client.slots.collect(&client.queue, false, world.clock).unwrap();
    let sent = std::mem::replace(&mut world.clock, RESET);
    let reply = world.run(client, &batch);
    client.slots.apply(&reply, &client.queue, sent, world.clock);
    reply
}

#[test]
fn what_a_client_said_of_the_last_window_says_nothing_of_this_one() {
    // What a response said is left.
    let mut world = start();
    let mut client = world.client();
    charge(&mut world, &mut client, 50);
    world.clock = RESET - SECOND;
    client.slots.cap(0, 0, world.clock);
    let reply = decided_at_the_reset(&mut world, &mut client);
    assert_eq!((reply.buckets[0].level, client.slots.ledger.level(0)), (0, 0));
    assert_left(&mut world, &mut client, AMOUNT);
    // What the process took alone.
    let mut world = start();
    let mut client = go_alone(&mut world, 30);
    client.slots.end_outage(world.clock);
    client.slots.give_up(world.clock);
    assert_eq!(decided_at_the_reset(&mut world, &mut client).buckets[0].level, 0);
    // What was in a state that was lost, but for a debt.
    let mut world = start();
    let mut client = world.client();
    charge(&mut world, &mut client, AMOUNT);
    client.slots.owe(&Amounts::Few([30, 0, 0]), world.clock);
    world.exchange(&mut client);
    world.lose_the_state(&[]);
    assert_eq!(decided_at_the_reset(&mut world, &mut client).buckets[0].level, 30);
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
    client.slots.give_up(world.clock);
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
}

#[test]
fn an_update_changes_the_amount_and_what_was_taken_stays_taken() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    let taken = charge(&mut world, &mut one, 60);
    one.slots.set_rate(0, 50, 100, world.clock);
    learn(&mut world, &mut one);
    let tokens = metering(Rate::per_second(50_000));
    for (amount, left) in [(160, 20), (100, 0)] {
        let pause = Scale::longest_pause(&[hourly(amount), tokens]);
        let scale = Scale::new(&hourly(amount), pause).at_pace_of(&one.slots.scales[0]);
        one.slots.scales[0] = scale;
        // What was taken fitted the amount of before, so it is no debt.
        assert_eq!(look(&world, &one), (left, 0));
    }
    // Half of it, as the provider has said.
    assert!(is_full(&mut world, &mut one, 1));
    one.give_back(&Amounts::Few([60, 0, 0]), taken, world.clock);
    world.exchange(&mut one);
    learn(&mut world, &mut other);
    charge(&mut world, &mut other, 1);
    assert_left(&mut world, &mut other, 49);
}
