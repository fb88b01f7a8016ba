//! Holds of one limit: they stop the calls that take from it, in every client, and no others.

use std::time::Duration;

use super::client::Tenant;
use super::world::{SLOW, World};
use crate::backend::{Buckets as _, Due, HOLD};
use crate::limits::Amounts;
use crate::queue::{Urgency, Waiter};

const SECOND: u64 = 1_000_000_000;
const REQUESTS: usize = 0;
const TOKENS: usize = 1;

/// Returns true if a call is granted and departs within a round trip.
fn goes(world: &mut World, client: &mut Tenant, amounts: [u64; 2]) -> bool {
    client.join(amounts);
    let (_, head) = client.queue.head().unwrap();
    client.slots.due(head, world.clock);
    world.exchange(client);
    let (_, head) = client.queue.head().unwrap();
    let goes = client.slots.due(head, world.clock).is_some_and(|due| due.at <= world.clock);
    if goes {
        client.one_goes();
    } else {
        client.all_leave();
        client.slots.idle(world.clock);
    }
    goes
}

#[test]
fn a_hold_of_one_limit_stops_the_calls_that_take_from_it_in_every_client_and_no_others() {
    let (mut world, mut one, mut other) = World::of_two();
    let until = world.clock + SECOND;
    one.slots.hold_limit(TOKENS, until, world.clock);
    world.exchange(&mut one);
    world.learn(&mut other);
    for client in [&mut one, &mut other] {
        assert!(client.slots.limit_held_until(TOKENS) >= until);
        assert_eq!((client.slots.limit_held_until(REQUESTS), client.slots.held_until()), (0, 0));
        assert!(!goes(&mut world, client, [1, 10]));
        assert!(goes(&mut world, client, [1, 0]));
        let (wait, limit) = client.slots.wait_of_next(&[1, 10], world.clock);
        assert!(wait > SECOND / 2 && limit == HOLD, "{wait}");
        assert_eq!(client.slots.wait_of_next(&[1, 0], world.clock).0, 0);
        assert_eq!(client.slots.look(world.clock)[TOKENS].available, 0);
        assert!(client.slots.look(world.clock)[REQUESTS].available > 0);
    }
    world.clock = until + 1_000_000;
    for client in [&mut one, &mut other] {
        world.learn(client);
        assert!(goes(&mut world, client, [1, 10]));
    }
}

#[test]
fn a_client_that_does_not_know_of_the_hold_yet_is_granted_nothing() {
    let (mut world, mut one, mut other) = World::of_two();
    one.slots.hold_limit(TOKENS, world.clock + SECOND, world.clock);
    world.exchange(&mut one);
    assert!(!goes(&mut world, &mut other, [0, 10]));
    assert!(other.slots.limit_held_until(TOKENS) > world.clock);
}

#[test]
fn slots_in_front_of_the_first_held_call_stay() {
    let (mut world, mut one, mut other) = World::of_two();
    for amounts in [[1, 0], [1, 0], [1, 10], [1, 0]] {
        other.join(amounts);
    }
    world.exchange(&mut other);
    assert_eq!(other.slots.slots.len(), 4);
    one.slots.hold_limit(TOKENS, world.clock + SECOND, world.clock);
    world.exchange(&mut one);
    world.learn(&mut other);
    assert_eq!(other.slots.slots.len(), 2);
    other.check_held();
    other.all_go();
    assert_eq!(other.queue.len(), 2);
}

#[test]
fn slots_that_were_in_flight_when_the_hold_began_are_given_back() {
    let (mut world, mut one, _) = World::of_two();
    one.join([1, 0]);
    one.join([1, 10]);
    world.exchange_while(&mut one, |world, one| {
        one.slots.hold_limit(TOKENS, world.clock + SECOND, world.clock);
    });
    assert_eq!(one.slots.slots.len(), 1);
}

#[test]
fn a_held_limit_does_not_leak_and_the_others_do() {
    let (mut world, mut one, _) = World::of_two();
    world.call(&mut one, [100, 5_000]);
    let before = world.exchange(&mut one);
    let [requests, tokens] = [0, 1].map(|bucket| one.slots.ledger.level(bucket));
    one.slots.hold_limit(TOKENS, world.clock + 50_000_000, world.clock);
    world.exchange(&mut one);
    world.pass(Duration::from_millis(40));
    world.learn(&mut one);
    let after = [0, 1].map(|bucket| one.slots.ledger.level(bucket));
    assert!(requests - after[0] >= 40_000_000, "{before:?}");
    assert!(tokens - after[1] < 1_000_000, "{tokens} became {}", after[1]);
}

#[test]
fn of_two_holds_of_a_limit_the_longer_one_counts() {
    let (mut world, mut one, mut other) = World::of_two();
    one.slots.hold_limit(TOKENS, world.clock + 10 * SECOND, world.clock);
    world.exchange(&mut one);
    other.slots.hold_limit(TOKENS, world.clock + SECOND, world.clock);
    let reply = world.exchange(&mut other);
    let rest = reply.buckets[TOKENS].shut_for;
    assert!((9 * SECOND..=10 * SECOND + 10_000_000).contains(&rest), "{rest}");
    assert_eq!((reply.held_for, reply.buckets[REQUESTS].shut_for), (0, 0));
}

#[test]
fn a_release_ends_the_holds_of_single_limits_for_all() {
    let (mut world, mut one, mut other) = World::of_two();
    one.slots.hold_limit(TOKENS, world.clock + 300 * SECOND, world.clock);
    world.exchange(&mut one);
    world.learn(&mut other);
    other.slots.release(world.clock);
    assert!(goes(&mut world, &mut other, [1, 10]));
    world.learn(&mut one);
    assert!(goes(&mut world, &mut one, [1, 10]));
    assert!(!one.slots.is_shut(world.clock) && !other.slots.is_shut(world.clock));
}

#[test]
fn a_hold_that_begins_after_a_release_in_the_same_batch_stays() {
    let (mut world, mut one, _) = World::of_two();
    one.slots.hold_limit(TOKENS, world.clock + 300 * SECOND, world.clock);
    world.exchange(&mut one);
    one.slots.release(world.clock);
    one.slots.hold_limit(TOKENS, world.clock + SECOND, world.clock);
    let rest = world.exchange(&mut one).buckets[TOKENS].shut_for;
    assert!((SECOND / 2..=2 * SECOND).contains(&rest), "{rest}");
}

#[test]
fn a_hold_in_a_batch_that_was_given_up_is_sent_again_unless_it_was_released() {
    for is_released in [false, true] {
        let (mut world, mut one, mut other) = World::of_two();
        one.slots.hold_limit(TOKENS, world.clock + SECOND, world.clock);
        assert!(one.slots.collect(&one.queue, false, world.clock).is_ok());
        if is_released {
            one.slots.release(world.clock);
        }
        one.slots.give_up(world.clock);
        world.learn(&mut one);
        world.learn(&mut other);
        let is_held = |client: &Tenant| client.slots.limit_held_until(TOKENS) > world.clock;
        assert_eq!([is_held(&one), is_held(&other)], [!is_released; 2]);
    }
}

#[test]
fn a_hold_of_one_limit_outlasts_a_state_that_was_lost_and_a_clock_that_is_set_back() {
    let (mut world, mut one, mut other) = World::of_two();
    one.slots.hold_limit(TOKENS, world.clock + 100 * SECOND, world.clock);
    world.exchange(&mut one);
    world.lose_the_state(&[]);
    world.learn(&mut one);
    world.set_server_back(Duration::from_secs(3_600));
    world.learn(&mut other);
    let rest = other.slots.limit_held_until(TOKENS) - world.clock;
    assert!((99 * SECOND..=101 * SECOND).contains(&rest), "{rest}");
}

#[test]
fn a_hold_of_one_limit_does_not_get_longer_each_time_that_the_state_is_lost() {
    let (mut world, mut client, _) = World::of_two();
    client.slots.hold_limit(TOKENS, world.clock + 100 * SECOND, world.clock);
    let first = world.exchange(&mut client).buckets[TOKENS].shut_for + world.clock;
    for _ in 0..5 {
        client.slots.wants_news = true;
        // The reply takes a second.
        world.exchange_while(&mut client, |world, _| world.pass(Duration::from_secs(1)));
        world.lose_the_state(&[]);
        let end = world.learn(&mut client).buckets[TOKENS].shut_for + world.clock;
        assert!(end <= first + 10_000, "{} ns more", end - first);
    }
}

#[test]
fn a_hold_of_one_limit_ends_that_is_released_with_the_first_batch_after_a_loss() {
    let (mut world, mut client, _) = World::of_two();
    client.slots.hold_limit(TOKENS, world.clock + 100 * SECOND, world.clock);
    world.exchange(&mut client);
    client.slots.release(world.clock);
    world.lose_the_state(&[]);
    assert_eq!(world.exchange(&mut client).buckets[TOKENS].shut_for, 0);
}

#[test]
fn a_hold_of_one_limit_that_was_released_stays_so_after_a_loss_whichever_client_asks_first() {
    for is_idle_first in [false, true] {
        let (mut world, mut one, mut idle) = World::of_two();
        one.slots.hold_limit(TOKENS, world.clock + 100 * SECOND, world.clock);
        world.exchange(&mut one);
        world.learn(&mut idle);
        one.slots.release(world.clock);
        world.exchange(&mut one);
        world.lose_the_state(&[]);
        let mut order = [&mut one, &mut idle];
        if is_idle_first {
            order.reverse();
        }
        for client in order {
            world.learn(client);
        }
        for client in [&mut one, &mut idle] {
            world.learn(client);
            assert!(!client.slots.is_any_shut(world.clock), "the idle client is first: {is_idle_first}");
        }
    }
}

#[test]
fn a_hold_of_one_limit_waits_for_the_first_reply() {
    let (mut world, _, mut other) = World::of_two();
    let mut first = world.client();
    first.slots.hold_limit(TOKENS, world.clock + SECOND, world.clock);
    world.call(&mut first, [1, 0]);
    world.exchange(&mut first);
    world.learn(&mut other);
    assert!(other.slots.limit_held_until(TOKENS) > world.clock);
}

#[test]
fn the_state_is_kept_for_as_long_as_a_hold_of_one_limit_lasts() {
    let (mut world, mut one, _) = World::of_two();
    one.slots.max_hold = u64::MAX;
    one.slots.hold_limit(TOKENS, u64::MAX, world.clock);
    assert!(world.exchange(&mut one).buckets[TOKENS].shut_for > 1_000_000 * SECOND);
    let kept = world.kept_for(&one.keys[0]);
    assert!(kept >= 1_000_000, "{kept}");
}

#[test]
fn a_held_head_asks_at_most_once_a_second_and_the_call_behind_it_at_once() {
    let (mut world, mut one, _) = World::of_two();
    one.slots.hold_limit(TOKENS, world.clock + 300 * SECOND, world.clock);
    world.exchange(&mut one);
    one.join([1, 10]);
    one.join([1, 0]);
    let due = |one: &mut Tenant, now| one.slots.due(one.queue.head().unwrap().1, now);
    assert_eq!(due(&mut one, world.clock), None);
    let next = one.slots.next_work([2, 0], world.clock) - world.clock;
    assert!((SECOND / 2..=SECOND).contains(&next), "{next}");
    // The next head takes nothing from the limit.
    one.one_leaves();
    assert_eq!(due(&mut one, world.clock), None);
    assert_eq!(one.slots.next_work([1, 0], world.clock), world.clock);
}

#[test]
fn a_call_behind_a_held_head_waits_as_long() {
    let (mut world, mut one, _) = World::of_two();
    one.slots.hold_limit(TOKENS, world.clock + SECOND, world.clock);
    world.exchange(&mut one);
    one.join([1, 10]);
    let behind = Waiter::new(Amounts::Few([1, 0, 0]), world.clock, Urgency::default());
    let (wait, _) = one.slots.wait(&behind, &one.queue, world.clock);
    assert!(wait > SECOND / 2, "{wait}");
}

#[test]
fn a_lease_serves_calls_that_take_nothing_from_a_held_limit() {
    let (mut world, mut one, _) = World::of_two();
    one.slots.terms.lease = Some(50_000_000);
    one.slots.hold_limit(TOKENS, world.clock + SECOND, world.clock);
    world.exchange(&mut one);
    for (amounts, goes) in [([1, 0], true), ([1, 10], false)] {
        one.slots.request_lease(&Amounts::Few([amounts[0], amounts[1], 0]));
        world.exchange(&mut one);
        assert_eq!(one.slots.take(&amounts, world.clock).is_some(), goes);
    }
}

#[test]
fn a_rate_that_climbs_stands_still_while_its_limit_is_held() {
    let (mut world, mut one, mut other) = World::of_two();
    let charge = one.slots.ledger.charges() + 1;
    for place in [REQUESTS, TOKENS] {
        assert!(one.slots.cut(place, 10 * SECOND, charge, world.clock));
    }
    one.slots.hold_limit(TOKENS, world.clock + 2 * SECOND, world.clock);
    world.exchange(&mut one);
    world.clock += 2 * SECOND;
    for client in [&mut one, &mut other] {
        world.learn(client);
        let paces = [REQUESTS, TOKENS].map(|bucket| {
            let (part, of) = client.slots.pace(bucket, world.clock);
            1_000 * part / of
        });
        assert!((699..=701).contains(&paces[0]) && (500..=501).contains(&paces[1]), "{paces:?}");
    }
}

#[test]
fn no_call_departs_during_a_hold_of_a_limit_that_it_takes_from_whatever_the_round_trips_take() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client()];
    let (mut departed, mut held_departed) = ([0, 0], 0);
    for _ in 0..5_000 {
        let client = &mut clients[world.random(2)];
        if world.random(300) == 0 {
            let time = 20_000_000 + world.random(300_000_000) as u64;
            client.slots.hold_limit(TOKENS, world.clock + time, world.clock);
        }
        if world.random(900) == 0 {
            client.slots.release(world.clock);
        }
        while client.queue.len() < 10 {
            let tokens = if world.random(4) == 0 { 50 } else { 0 };
            client.join([1, tokens]);
        }
        let trip = world.random(500) as u64;
        world.exchange_while(client, |world, _| world.pass(Duration::from_micros(trip)));
        for client in &mut clients {
            while let Some((key, head)) = client.queue.head()
                && let Some(Due { at, .. }) = client.slots.due(head, world.clock)
                && at <= world.clock
            {
                let takes = head.amounts.as_slice()[1] > 0;
                let is_held = client.slots.limit_held_until(TOKENS) > world.clock;
                assert!(!takes || !is_held);
                held_departed += u32::from(is_held);
                departed[usize::from(takes)] += 1;
                client.slots.take_slot(head.amounts.as_slice(), world.clock);
                client.queue.leave(key);
            }
        }
    }
    assert!(departed[0] > 300 && departed[1] > 100 && held_departed > 3, "{departed:?} {held_departed}");
}
