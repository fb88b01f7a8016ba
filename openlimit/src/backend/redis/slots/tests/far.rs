//! Far calls, which are granted beyond the look-ahead: they move up for a refund, and leave no
//! trace when they are cancelled.

use std::time::Duration;

use super::client::Tenant;
use super::everything::with_starting;
use super::world::{SLOW, World};
use crate::backend::Buckets as _;
use crate::limits::Amounts;

#[test]
fn a_far_call_moves_up_when_a_refund_makes_room() {
    let mut world = World::start(SLOW);
    let mut client = world.short_look_ahead_client();
    world.call(&mut client, [10, 8_900]);
    // Tokens are scarce. The bucket of requests runs empty until the call is due.
    client.join([10, 5_000]);
    let far = world.exchange(&mut client).calls[0].wait;
    assert!((90_000_000..=98_000_000).contains(&far), "{far}");
    client.give_back(&Amounts::Few([0, 8_000, 0]), client.taken[0].0, world.clock);
    let reply = world.exchange(&mut client);
    assert_eq!((reply.is_out, reply.calls.len(), reply.calls[0].wait), (true, 1, 0), "{reply:?}");
    assert!(reply.buckets[0].level <= 20_000_000 && reply.buckets[1].level <= 118_000_000, "{reply:?}");
    client.all_go();
    // Both calls can still be refunded.
    client.give_back(&Amounts::Few([0, 900, 0]), client.taken[0].0, world.clock);
    client.give_back(&Amounts::Few([0, 5_000, 0]), client.taken[1].0, world.clock);
    let reply = world.exchange(&mut client);
    assert_eq!(reply.buckets[1].level, 0, "{reply:?}");
}

#[test]
fn a_far_call_with_a_later_grant_behind_it_moves_up_as_far_as_the_level_allows() {
    let mut world = World::start(SLOW);
    let (mut client, mut other) = (world.short_look_ahead_client(), world.client());
    world.call(&mut client, [150, 0]);
    client.join([150, 0]);
    world.exchange(&mut client);
    other.join([1, 0]);
    world.exchange(&mut other);
    client.give_back(&Amounts::Few([100, 0, 0]), client.taken[0].0, world.clock);
    let reply = world.exchange(&mut client);
    assert_eq!((reply.is_out, reply.calls.len()), (false, 0), "{reply:?}");
    // The level counts the grant behind it. Once it has fallen to 180, both may depart.
    let wait = client.slots.slots[0].due - world.clock;
    assert_eq!(wait, reply.buckets[0].level - 180_000_000);
    assert!((80_000_000..=101_000_000).contains(&wait), "{wait}");
    assert_eq!(*client.slots.held, [150, 0]);
}

#[test]
fn a_far_call_can_refund_what_it_did_not_use() {
    let mut world = World::start(SLOW);
    let mut client = world.short_look_ahead_client();
    for _ in 0..2 {
        world.call(&mut client, [150, 0]);
    }
    client.give_back(&Amounts::Few([50, 0, 0]), client.taken[1].0, world.clock);
    assert_eq!(world.exchange(&mut client).buckets[0].given, 50_000_000);
}

#[test]
fn a_cancelled_far_call_is_refunded_up_to_the_level_before_the_call_behind_it() {
    let mut world = World::start(SLOW);
    let mut client = world.short_look_ahead_client();
    world.call(&mut client, [150, 0]);
    let left = client.join([150, 0]);
    world.exchange(&mut client);
    client.slots.terms.look_ahead = 300_000_000;
    client.join([160, 0]);
    world.exchange(&mut client);
    // Its slot is too small for the call behind it.
    client.queue.leave(left);
    client.all_go();
    let given = world.exchange(&mut client).buckets[0].given;
    assert!((19_000_000..=20_000_000).contains(&given), "{given}");
}

#[test]
fn a_cancelled_far_call_leaves_no_trace() {
    let mut world = World::start(SLOW);
    let mut client = world.short_look_ahead_client();
    world.call(&mut client, [10, 8_900]);
    client.join([10, 5_000]);
    world.exchange(&mut client);
    client.all_leave();
    client.give_back(&Amounts::Few([0, 8_900, 0]), client.taken[0].0, world.clock);
    client.join([180, 0]);
    let reply = world.exchange(&mut client);
    // It waits only for what the first call took and has not leaked.
    assert!(reply.calls[0].granted && reply.calls[0].wait <= 10_000_000, "{reply:?}");
    assert_eq!(reply.buckets[1].level, 0, "{reply:?}");
}

#[test]
fn what_a_far_call_keeps_from_leaking_cannot_be_refunded_by_earlier_calls() {
    let mut world = World::start(SLOW);
    let mut client = world.short_look_ahead_client();
    world.call(&mut client, [100, 0]);
    // All of that leaks.
    world.pass(Duration::from_millis(110));
    client.join([100, 8_900]);
    client.join([10, 9_000]);
    assert_eq!(world.exchange(&mut client).calls.len(), 2);
    assert_eq!(client.slots.slots.len(), 2);
    // So nothing of it can be refunded, not even if the far call is taken out.
    client.give_back(&Amounts::Few([100, 0, 0]), client.taken[0].0, world.clock);
    assert_eq!(world.exchange(&mut client).buckets[0].given, 0);
}

#[test]
fn calls_that_would_wait_for_weeks_can_be_cancelled_again_and_again() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    // The tokens of twenty days.
    world.call(&mut client, [0, 50_000 * 86_400 * 20]);
    // Together they keep more from leaking than the largest level.
    for _ in 0..8 {
        client.join([1, 1]);
        let reply = world.exchange(&mut client);
        assert!(reply.calls[0].granted, "{reply:?}");
        client.all_leave();
        let reply = world.exchange(&mut client);
        assert!(reply.is_out && reply.buckets[0].level <= 1_000_000, "{reply:?}");
    }
}

#[test]
fn calls_that_move_up_stay_within_the_bound() {
    let mut world = World::start(SLOW);
    let mut clients =
        [world.short_look_ahead_client(), world.short_look_ahead_client(), world.short_look_ahead_client()];
    clients.iter_mut().for_each(|client| client.slots.terms.look_ahead = 60_000_000);
    for _ in 0..300 {
        let [client, other] = [world.random(3), world.random(3)];
        for _ in 0..3 {
            let amounts = [world.random(60) as u64, world.random(3_000) as u64];
            world.call(&mut clients[client], amounts);
        }
        // A far call. Some of the client's earlier calls are refunded while it waits.
        let far = [world.random(150) as u64, world.random(8_000) as u64];
        if world.random(2) == 0 {
            // A near call in the same batch.
            let near = [world.random(20) as u64, world.random(1_000) as u64];
            clients[client].join(near);
        }
        clients[client].join(far);
        world.exchange(&mut clients[client]);
        for _ in 0..world.random(5) {
            if world.random(3) == 0 {
                clients[other].join([1, 100]);
                world.give_back(&mut clients[other]);
                world.exchange(&mut clients[other]);
            }
            world.give_back(&mut clients[client]);
            world.exchange_while(&mut clients[client], |world, client| {
                world.give_back(client);
                if world.random(8) == 0 {
                    client.one_leaves();
                }
            });
        }
        clients.iter_mut().for_each(|client| client.leave_or_go(&mut world));
        if world.random(2) == 0 {
            // Makes room, so that the calls of the next rounds are not all far.
            clients[client].all_leave();
            world.give_all_back(&mut clients[client]);
            world.exchange(&mut clients[client]);
        }
        let time = world.random(150) as u64;
        world.pass(Duration::from_millis(time));
    }
    let (anew, forward) = (world.moved, world.brought_forward);
    assert!(anew > 50 && forward > 50, "{anew} calls were granted anew, {forward} brought forward");
    world.check();
}

#[test]
fn a_small_call_does_not_wait_for_the_slot_of_a_cancelled_large_call() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [180, 0]);
    // The large call is due when the bucket is empty, in 180 ms: beyond this look-ahead.
    client.slots.terms.look_ahead = 20_000_000;
    let large = client.join([800, 0]);
    world.exchange(&mut client);
    client.join([1, 0]);
    client.queue.leave(large);
    assert_eq!(client.slot_due(&Amounts::Few([1, 0, 0]), u64::MAX, world.clock), None);
    let reply = world.exchange(&mut client);
    assert!(reply.calls[0].wait <= 20_000_000, "{:?}", reply.calls);
}

/// Each client keeps two calls of a second waiting. Returns how many calls of each client go in a
/// minute.
fn large_calls_in_a_minute(world: &mut World, clients: &mut [Tenant; 2]) -> [usize; 2] {
    let mut went = [0; 2];
    let end = world.clock + 60_000_000_000;
    while world.clock < end {
        world.pass(Duration::from_millis(2));
        for (client, went) in clients.iter_mut().zip(&mut went) {
            while client.queue.len() < 2 {
                client.join([1_000, 0]);
            }
            world.exchange(client);
            while client.goes_in_time(world.clock) {
                *went += 1;
            }
        }
    }
    went
}

#[test]
fn far_calls_of_clients_with_different_look_aheads_take_turns() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client()];
    clients[0].slots.terms.look_ahead = 240_000_000;
    clients[1].slots.terms.look_ahead = 100_000_000;
    let went = large_calls_in_a_minute(&mut world, &mut clients);
    assert!(went.iter().all(|went| *went >= 20), "{went:?} calls went");
}

#[test]
fn a_far_call_does_not_keep_others_back_after_the_clock_was_set_back() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client()];
    clients.iter_mut().for_each(|client| client.slots.terms.look_ahead = 20_000_000);
    let [one, other] = &mut clients;
    world.call(one, [180, 0]);
    one.join([180, 0]);
    world.exchange(one);
    world.set_server_back(Duration::from_secs(3_600));
    world.pass(Duration::from_millis(185));
    assert!(one.goes_in_time(world.clock));
    for _ in 0..200 {
        one.join([1, 0]);
    }
    // One client's small calls keep the bucket full. The other's large call goes all the same.
    other.join([180, 0]);
    let mut went = false;
    for _ in 0..1_000 {
        world.pass(Duration::from_millis(1));
        one.join([1, 0]);
        world.exchange(one);
        while one.goes_in_time(world.clock) {}
        world.exchange(other);
        went |= other.goes_in_time(world.clock);
    }
    assert!(went);
}

#[test]
fn a_call_behind_a_far_call_that_may_not_wait_as_long_is_refused_at_once() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.short_look_ahead_client(), world.short_look_ahead_client());
    world.call(&mut one, [180, 0]);
    one.join([180, 0]);
    world.exchange(&mut one);
    other.wait_at_most = 100_000_000;
    other.join([180, 0]);
    let reply = world.exchange(&mut other);
    assert!(reply.calls.first().is_some_and(|call| !call.granted), "{reply:?}");
}

#[test]
fn a_client_that_is_kept_back_by_a_far_call_asks_again_after_a_pause_whatever_its_look_ahead() {
    // One that gives back asks every 10 ms, and any other once the next far call may be granted.
    assert!((8..=13).contains(&batches_while_kept_back(true)));
    assert_eq!(batches_while_kept_back(false), 1);
}

/// Returns how often a client without a look-ahead asks in 120 ms.
fn batches_while_kept_back(gives_back: bool) -> usize {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.short_look_ahead_client(), world.client());
    world.call(&mut one, [180, 0]);
    one.join([180, 0]);
    world.exchange(&mut one);
    other.slots.terms.look_ahead = 0;
    other.slots.changed_at = Some(world.clock).filter(|_| gives_back);
    other.join([180, 0]);
    let mut batches = 0;
    for _ in 0..100 {
        world.pass(Duration::from_millis(1));
        batches += usize::from(world.exchange(&mut other).decided > 0);
    }
    batches
}

#[test]
fn a_far_call_that_could_have_gone_before_the_reply_arrived_goes_now() {
    let mut world = World::start(SLOW);
    let (mut client, mut other) = (world.short_look_ahead_client(), world.client());
    world.call(&mut client, [1_000, 0]);
    client.join([10, 0]);
    world.exchange(&mut client);
    other.slots.terms.look_ahead = 1_000_000_000;
    other.join([1, 0]);
    world.exchange(&mut other);
    client.give_back(&Amounts::Few([900, 0, 0]), client.taken[0].0, world.clock);
    world.pass(Duration::from_millis(730));
    let batch = client.slots.collect(&client.queue, false, world.clock).unwrap();
    let mut reply = world.run(&mut client, &batch);
    // The reply is lost, and arrives when the batch is sent again.
    world.pass(Duration::from_millis(60));
    reply.now += 60_000;
    client.slots.apply(&reply, &client.queue, world.clock, world.clock);
    assert!(client.goes_in_time(world.clock), "{reply:?} {:?}", client.slots.slots);
}

#[test]
fn a_slot_within_the_look_ahead_of_the_settings_serves_another_call_while_calls_settle() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    client.slots.terms.look_ahead = 100_000_000;
    world.call(&mut client, [180, 0]);
    let left = client.join([30, 0]);
    world.exchange(&mut client);
    client.slots.changed_at = Some(world.clock);
    client.queue.leave(left);
    assert!(client.slot_due(&Amounts::Few([1, 0, 0]), u64::MAX, world.clock).is_some());
}

#[test]
fn a_call_does_not_wait_for_the_pause_of_a_cancelled_call_that_was_kept_back() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    world.call(&mut one, [180, 0]);
    world.call(&mut one, [800, 0]);
    one.join([900, 0]);
    world.exchange(&mut one);
    other.join([900, 0]);
    assert_eq!(world.exchange(&mut other).calls.len(), 0);
    other.one_leaves();
    other.slots.idle(world.clock);
    other.join([0, 1]);
    let reply = world.exchange(&mut other);
    assert_eq!(reply.calls.first().map(|call| call.wait), Some(0), "{reply:?}");
}

#[test]
fn a_bucket_was_as_idle_as_if_a_call_that_was_taken_out_had_never_been() {
    let mut world = World::start(SLOW);
    let mut client = world.short_look_ahead_client();
    world.call(&mut client, [180, 0]);
    let begin = world.clock;
    client.join([150, 50]);
    world.exchange(&mut client);
    world.pass(Duration::from_millis(100));
    client.all_leave();
    let reply = world.exchange(&mut client);
    assert!(reply.is_out);
    // Nothing else took tokens.
    assert_eq!(reply.buckets[1].level, 0);
    assert_eq!(reply.buckets[1].idle.unsigned_abs(), world.clock - begin, "{reply:?}");
}

#[test]
fn a_far_call_keeps_its_slot_while_the_call_in_front_lies_beyond_a_shorter_look_ahead() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    client.slots.terms.look_ahead = 100_000_000;
    world.call(&mut client, [180, 0]);
    client.join([60, 0]);
    client.join([200, 0]);
    let reply = world.exchange(&mut client);
    assert!(reply.calls[1].wait > 250_000_000, "{reply:?}");
    client.give_back(&Amounts::Few([20, 0, 0]), client.taken[0].0, world.clock);
    // While calls give something back, the look-ahead is an eighth. The call in front lies beyond it.
    client.slots.changed_at = Some(world.clock);
    let reply = world.exchange(&mut client);
    assert!(!reply.is_out && reply.calls.is_empty(), "{reply:?}");
    assert_eq!(client.slots.slots.len(), 2);
}

#[test]
fn a_far_call_that_moves_keeps_a_slot_beside_the_far_call_of_another_client() {
    let mut world = World::start(SLOW);
    let (mut client, mut other) = (world.client(), world.short_look_ahead_client());
    client.slots.terms.look_ahead = 100_000_000;
    world.call(&mut client, [180, 0]);
    // A far call for tokens.
    world.call(&mut other, [0, 9_000]);
    other.join([0, 30_000]);
    assert!(world.exchange(&mut other).calls[0].granted);
    client.join([150, 0]);
    let reply = world.exchange(&mut client);
    assert!(reply.calls[0].granted && reply.calls[0].wait > 140_000_000, "{reply:?}");
    client.give_back(&Amounts::Few([20, 0, 0]), client.taken[0].0, world.clock);
    // The look-ahead is an eighth now, so its own slot counts as far.
    client.slots.changed_at = Some(world.clock);
    let reply = world.exchange(&mut client);
    assert!(reply.is_out && reply.calls[0].granted, "{reply:?}");
}

#[test]
fn a_reset_while_a_far_call_is_asked_to_move_mixes_up_no_decisions() {
    let mut world = World::start(SLOW);
    let (mut client, mut other) = (world.short_look_ahead_client(), world.client());
    world.call(&mut client, [150, 0]);
    for requests in [150, 1] {
        client.join([requests, 0]);
    }
    world.exchange(&mut client);
    // So the far call stays where it is.
    world.call(&mut other, [1, 0]);
    client.give_back(&Amounts::Few([10, 0, 0]), client.taken[0].0, world.clock);
    // It lies just beyond the look-ahead when the batch is sent, and within it when it is decided.
    world.clock = client.slots.slots[0].due - client.slots.look_ahead(world.clock) - 100_000;
    let batch = client.slots.collect(&client.queue, false, world.clock).unwrap();
    assert!(client.slots.moving.is_some());
    world.clock += 1_000_000;
    let reply = world.run(&mut client, &batch);
    assert_eq!((reply.is_out, reply.granted()), (false, 1), "{reply:?}");
    with_starting([1_000, 50_000], |starting| client.slots.reset(starting, world.clock));
    client.slots.apply(&reply, &client.queue, world.clock, world.clock);
    let slots = |client: &Tenant| -> Vec<u64> {
        client.slots.slots.iter().map(|slot| slot.amounts.as_slice()[0]).collect()
    };
    assert_eq!(slots(&client), [1]);
    client.check_held();
    // The far call is granted anew, and the one behind it, since its slot lies in front.
    let batch = client.slots.collect(&client.queue, false, world.clock).unwrap();
    let reply = world.run(&mut client, &batch);
    client.slots.apply(&reply, &client.queue, world.clock, world.clock);
    assert_eq!(slots(&client), [1, 150, 1]);
}
