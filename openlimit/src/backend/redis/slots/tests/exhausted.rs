//! A quota that is used up: one call of all clients is the probe.

use super::client::Tenant;
use super::world::{SLOW, World};
use crate::backend::Buckets;

const SECOND: u64 = 1_000_000_000;

/// For how long the server waits for the response to a probe.
const PROBE: u64 = 60 * SECOND;

/// A world in which a quota is used up for a second, and clients that know it.
fn used_up() -> (World, [Tenant; 3]) {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client(), world.client()];
    for client in &mut clients {
        world.call(client, [1, 0]);
    }
    clients[0].slots.exhaust(world.clock + SECOND, world.clock);
    for client in &mut clients {
        client.slots.wants_news = true;
        world.exchange(client);
        assert!(client.slots.is_exhausted);
    }
    (world, clients)
}

/// Returns the number of slots that a client is granted for a new call.
fn granted(world: &mut World, client: &mut Tenant) -> usize {
    client.join([1, 0]);
    world.exchange(client);
    client.slots.slots.len()
}

/// Lets the head depart. Returns its charge.
fn departs(world: &World, client: &mut Tenant) -> u64 {
    let (key, head) = client.queue.head().unwrap();
    let due = client.slots.due(head, world.clock).unwrap();
    assert!(due.at <= world.clock);
    let charge = client.slots.charge(&head.amounts.clone(), due.at, world.clock);
    client.queue.leave(key);
    charge
}

#[test]
fn nothing_is_granted_ahead_of_the_end() {
    let (mut world, mut clients) = used_up();
    world.clock = clients[0].slots.held_until - 10_000_000;
    // The client looks further ahead than that.
    clients[1].slots.held_until = 0;
    assert_eq!(granted(&mut world, &mut clients[1]), 0);
    assert!(clients[1].slots.held_until > world.clock);
}

#[test]
fn one_call_of_all_clients_is_granted_when_the_time_is_over() {
    let (mut world, mut clients) = used_up();
    world.clock += 2 * SECOND;
    let [one, two, three] = &mut clients;
    (0..5).for_each(|_| _ = two.join([1, 0]));
    assert_eq!(granted(&mut world, two), 1);
    for other in [one, three] {
        assert_eq!(granted(&mut world, other), 0);
        let rest = other.slots.held_until - world.clock;
        assert!(other.slots.is_exhausted && (PROBE - SECOND..=PROBE).contains(&rest), "{rest}");
    }
    // Later replies leave it to the client that has it.
    two.slots.wants_news = true;
    world.exchange(two);
    assert!(two.slots.is_exhausted && two.slots.held_until <= world.clock);
    departs(&world, two);
    two.slots.wants_news = true;
    world.exchange(two);
    assert!(two.slots.held_until > world.clock + PROBE - SECOND);
}

#[test]
fn the_end_of_a_probe_reaches_the_others() {
    for is_back in [true, false] {
        let (mut world, mut clients) = used_up();
        world.clock += 2 * SECOND;
        let [one, two, _] = &mut clients;
        assert_eq!(granted(&mut world, one), 1);
        departs(&world, one);
        one.slots.exhaust(world.clock + PROBE, world.clock);
        world.exchange(one);
        if is_back {
            one.slots.release(world.clock);
        } else {
            one.slots.exhaust(world.clock + 600 * SECOND, world.clock);
        }
        world.exchange(one);
        two.slots.wants_news = true;
        let reply = world.exchange(two);
        assert_eq!((two.slots.is_exhausted, reply.held_for > 500 * SECOND), (!is_back, !is_back));
        assert_eq!(granted(&mut world, two), usize::from(is_back));
    }
}

#[test]
fn a_probe_whose_call_left_passes_to_another_client() {
    let (mut world, mut clients) = used_up();
    world.clock += 2 * SECOND;
    let [one, two, three] = &mut clients;
    assert_eq!(granted(&mut world, one), 1);
    one.all_leave();
    world.exchange(one);
    assert_eq!(granted(&mut world, two), 1);
    assert_eq!(granted(&mut world, three), 0);
}

#[test]
fn a_hold_of_one_limit_outlasts_a_probe_however_that_ends() {
    for is_back in [true, false] {
        let (mut world, mut clients) = used_up();
        let [one, two, _] = &mut clients;
        let until = world.clock + 100 * SECOND;
        one.slots.hold_limit(1, until, world.clock);
        world.exchange(one);
        world.clock += 2 * SECOND;
        assert_eq!(granted(&mut world, one), 1);
        if is_back {
            departs(&world, one);
            one.slots.reopen(world.clock);
        } else {
            one.all_leave();
        }
        world.exchange(one);
        two.slots.wants_news = true;
        world.exchange(two);
        for client in [one, two] {
            assert!(client.slots.limit_held_until(1) >= until, "the probe ended the hold of a limit");
            assert_eq!(client.slots.is_exhausted, !is_back);
        }
    }
}

#[test]
fn a_slot_that_was_for_a_probe_is_any_slot_once_the_quota_is_back() {
    let (mut world, mut clients) = used_up();
    world.clock += 2 * SECOND;
    let [one, two, _] = &mut clients;
    assert_eq!(granted(&mut world, one), 1);
    two.slots.release(world.clock);
    world.exchange(two);
    one.slots.wants_news = true;
    world.exchange(one);
    assert_eq!((one.slots.is_exhausted, one.slots.slots.len()), (false, 1));
    one.all_leave();
    two.slots.exhaust(world.clock + 100 * SECOND, world.clock);
    world.exchange(two);
    world.exchange(one);
    assert!(one.slots.held_until > world.clock + 90 * SECOND);
}

#[test]
fn a_probe_that_is_lost_makes_way_for_another_one() {
    let (mut world, mut clients) = used_up();
    world.clock += 2 * SECOND;
    let [one, two, _] = &mut clients;
    assert_eq!(granted(&mut world, one), 1);
    world.clock += PROBE;
    assert_eq!(granted(&mut world, two), 1);
}

#[test]
fn a_batch_with_the_probe_that_is_sent_again_has_no_second_one() {
    let (mut world, mut clients) = used_up();
    world.clock += 2 * SECOND;
    let [one, two, _] = &mut clients;
    assert_eq!(granted(&mut world, one), 1);
    world.send_again(one);
    assert_eq!(granted(&mut world, two), 0);
}

#[test]
fn a_state_that_was_lost_is_told_that_a_quota_is_used_up() {
    let (mut world, mut clients) = used_up();
    world.lose_the_state(&[]);
    let [one, two, _] = &mut clients;
    world.learn(one);
    assert!(one.slots.is_exhausted);
    assert_eq!(granted(&mut world, two), 0);
    assert!(two.slots.is_exhausted);
}

#[test]
fn a_quota_that_is_back_stays_so_after_a_loss_whichever_client_asks_first() {
    for is_idle_first in [false, true] {
        let (mut world, mut clients) = used_up();
        world.clock += 2 * SECOND;
        let [one, two, idle] = &mut clients;
        assert_eq!(granted(&mut world, two), 1);
        // It learns that the others wait for the probe, and makes no calls from then on.
        assert_eq!(granted(&mut world, idle), 0);
        idle.all_leave();
        departs(&world, two);
        two.slots.reopen(world.clock);
        for client in [two, one] {
            world.learn(client);
            assert!(!client.slots.is_exhausted);
        }
        let order = if is_idle_first { [idle, one] } else { [one, idle] };
        world.lose_the_state(&[]);
        for client in order {
            world.learn(client);
        }
        for client in &mut clients {
            world.learn(client);
            assert!(!client.slots.is_shut(world.clock), "the idle client is first: {is_idle_first}");
        }
    }
}

#[test]
fn what_a_client_says_after_a_loss_counts_more_than_what_others_saw_before() {
    for is_of_one_limit in [false, true] {
        let (mut world, mut one, mut other) = World::of_two();
        world.learn(&mut other);
        world.lose_the_state(&[]);
        // It has seen less than the other one, but has a newer response.
        let until = world.clock + 9 * SECOND;
        if is_of_one_limit {
            one.slots.hold_limit(0, until, world.clock);
        } else {
            one.slots.exhaust(until, world.clock);
        }
        world.exchange(&mut one);
        let reply = world.learn(&mut other);
        assert_eq!(reply.is_exhausted, !is_of_one_limit);
        let rest = if is_of_one_limit { reply.buckets[0].shut_for } else { reply.held_for };
        assert!(rest > 8 * SECOND, "{rest}");
    }
}

#[test]
fn a_loss_lets_no_more_than_one_of_the_living_clients_have_the_probe() {
    for (is_lost, ends_late) in [(true, false), (false, false), (true, true)] {
        let (mut world, mut clients) = used_up();
        world.clock += if ends_late { 0 } else { 2 * SECOND };
        if is_lost {
            world.lose_the_state(&[]);
        }
        world.clock += 2 * SECOND;
        // Each has seen later than the one before that the quota is used up.
        let mut probes = 0;
        for client in &mut clients {
            redis::cmd("DEL").arg(&client.keys[1]).exec(&mut world.connection).unwrap();
            probes += granted(&mut world, client);
            assert!(client.slots.is_exhausted);
        }
        assert_eq!(probes, 1, "the state is lost: {is_lost}");
    }
}

#[test]
fn a_client_that_saw_that_a_quota_is_back_ends_the_wait_for_a_probe_after_a_loss() {
    let (mut world, mut clients) = used_up();
    let [one, two, idle] = &mut clients;
    one.slots.reopen(world.clock);
    world.exchange(one);
    world.clock += 2 * SECOND;
    world.learn(two);
    world.lose_the_state(&[]);
    assert_eq!(granted(&mut world, idle), 1);
    assert!(idle.slots.is_exhausted);
    assert!(!world.learn(two).is_exhausted);
    assert!(!world.learn(idle).is_exhausted);
}

#[test]
fn what_a_reply_said_is_told_after_a_loss_although_the_client_has_a_newer_response() {
    let (mut world, mut clients) = used_up();
    let [one, two, _] = &mut clients;
    let long = world.clock + 500 * SECOND;
    one.slots.hold_limit(0, long, world.clock);
    world.exchange(one);
    world.learn(two);
    one.slots.release(world.clock);
    world.exchange(one);
    // It is refused while the reply is under way.
    two.slots.wants_news = true;
    world.exchange_while(two, |world, two| {
        let until = world.clock + 5 * SECOND;
        two.slots.hold(until, world.clock);
        two.slots.hold_limit(0, until, world.clock);
    });
    world.lose_the_state(&[]);
    let reply = world.exchange(two);
    assert!(!reply.is_exhausted);
    for rest in [reply.held_for, reply.buckets[0].shut_for] {
        assert!((4 * SECOND..6 * SECOND).contains(&rest), "{rest}");
    }
}

#[test]
fn an_older_copy_of_the_state_learns_that_the_quota_is_back_although_another_state_began_since() {
    for begins_anew in [false, true] {
        let (mut world, mut clients) = used_up();
        let [one, two, _] = &mut clients;
        if begins_anew {
            world.learn(two);
        }
        // What the copy has is newer than its epoch.
        let copies = world.copies(&[one.keys[0].clone()]);
        if begins_anew {
            redis::cmd("DEL").arg(&one.keys[1]).exec(&mut world.connection).unwrap();
        }
        one.slots.reopen(world.clock);
        world.exchange(one);
        world.call(one, [1, 0]);
        world.restore(&copies);
        for client in [one, two] {
            assert!(!world.learn(client).is_exhausted);
        }
    }
}

#[test]
fn an_older_copy_of_the_state_that_others_asked_first_learns_of_a_hold_that_began_since() {
    for ends in [false, true] {
        let (mut world, mut clients) = used_up();
        let [one, two, three] = &mut clients;
        if !ends {
            one.slots.reopen(world.clock);
            world.exchange(one);
        }
        (0..2).for_each(|_| _ = world.learn(two));
        let copies = world.copies(&[&one.keys[..], &two.keys[1..], &three.keys[1..]].concat());
        if ends {
            one.slots.reopen(world.clock);
        } else {
            one.slots.exhaust(world.clock + 60 * SECOND, world.clock);
        }
        world.exchange(one);
        world.restore(&copies);
        // What they know is in the copy.
        assert_eq!(world.learn(two).is_exhausted, ends);
        assert_eq!(world.learn(three).is_exhausted, ends);
        for _ in 0..2 {
            assert_eq!(world.learn(one).is_exhausted, !ends);
            assert_eq!(world.learn(two).is_exhausted, !ends);
            assert_eq!(world.learn(three).is_exhausted, !ends);
        }
    }
}

#[test]
fn a_hold_that_begins_while_a_client_is_granted_the_probe_is_told_although_the_probe_passes_on() {
    let (mut world, mut clients) = used_up();
    world.clock += 2 * SECOND;
    let [one, two, _] = &mut clients;
    one.join([1, 0]);
    let reply = world.exchange_while(one, |world, one| {
        one.slots.hold(world.clock + 300 * SECOND, world.clock);
    });
    assert!(reply.has_probe && one.slots.slots.is_empty());
    let rest = world.exchange(one).held_for;
    assert!(rest > 299 * SECOND, "{rest}");
    assert!(world.learn(two).held_for > 299 * SECOND);
}

#[test]
fn a_client_asks_for_news_at_most_once_a_second() {
    let (mut world, mut clients) = used_up();
    let one = &mut clients[0];
    one.slots.refresh(world.clock);
    assert!(!one.slots.wants_news);
    world.clock += SECOND;
    one.slots.refresh(world.clock);
    assert!(one.slots.wants_news);
    world.exchange(one);
    one.slots.refresh(world.clock);
    assert!(!one.slots.wants_news);
}

#[test]
fn calls_that_wait_for_the_end_of_a_hold_go_on_soon_after_another_client_ended_it() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    world.call(&mut one, [1, 0]);
    world.call(&mut other, [1, 0]);
    one.slots.hold(world.clock + 300 * SECOND, world.clock);
    world.exchange(&mut one);
    assert_eq!(granted(&mut world, &mut other), 0);
    one.slots.release(world.clock);
    world.exchange(&mut one);
    // It does not ask again and again.
    assert!(other.slots.next_work([1, 0], world.clock) > world.clock + SECOND / 2);
    assert!(other.slots.next_work([1, 0], world.clock) <= world.clock + SECOND);
    world.clock += SECOND;
    world.exchange(&mut other);
    assert_eq!((other.slots.slots.len(), other.slots.held_until), (1, 0));
}

#[test]
fn a_shorter_hold_counts_if_another_client_ended_the_longer_one_just_before() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    world.call(&mut one, [1, 0]);
    world.call(&mut other, [1, 0]);
    one.slots.hold(world.clock + 300 * SECOND, world.clock);
    world.exchange(&mut one);
    other.slots.wants_news = true;
    world.exchange(&mut other);
    one.slots.release(world.clock);
    world.exchange(&mut one);
    // The other one still believes in the long hold.
    other.slots.hold(world.clock + 10 * SECOND, world.clock);
    assert!(other.slots.held_until > world.clock + 200 * SECOND);
    let rest = world.exchange(&mut other).held_for;
    assert!((9 * SECOND..=11 * SECOND).contains(&rest), "{rest}");
    assert!(other.slots.held_until < world.clock + 11 * SECOND);
}

#[test]
fn grants_stay_within_the_bound_while_quotas_come_and_go() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client(), world.client()];
    clients[1].looks_ahead(100_000_000);
    for _ in 0..3_000 {
        let client = &mut clients[world.random(3)];
        match world.random(60) {
            0..3 => {
                let time = world.random(40) as u64;
                world.pass(std::time::Duration::from_millis(time));
            }
            3..9 => world.give_back(client),
            9 | 10 => client.slots.exhaust(world.clock + world.random(400_000_000) as u64, world.clock),
            11..14 => client.slots.release(world.clock),
            14 => client.slots.hold(world.clock + world.random(400_000_000) as u64, world.clock),
            15..18 => client.slots.wants_news = true,
            _ => {}
        }
        for _ in 0..world.random(4) {
            let calls = [world.random(3) as u64, world.random(400) as u64];
            client.join(calls);
        }
        world.exchange_while(client, |world, client| {
            if world.random(4) == 0 {
                world.give_back(client);
            }
        });
        client.leave_or_go(&mut world);
    }
    world.check();
}

#[test]
fn a_quota_that_is_used_up_for_centuries_leaves_replies_readable() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    client.slots.max_hold = u64::MAX;
    world.call(&mut client, [1, 0]);
    client.slots.exhaust(u64::MAX, world.clock);
    let reply = world.exchange(&mut client);
    assert!(reply.is_exhausted && reply.held_for > 1_000_000 * SECOND);
}
