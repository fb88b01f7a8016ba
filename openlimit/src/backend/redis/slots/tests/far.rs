//! Far calls, which would be granted beyond two look-aheads: their clients wait in line, take
//! turns, and leave no trace when they are cancelled. And near calls, which move up for a refund.

use std::time::Duration;

use super::client::Tenant;
use super::world::{JITTER, SLOW, World, metering};
use crate::backend::Buckets as _;
use crate::bucket::Metering;
use crate::limits::{Amounts, Priority, Rate};
use crate::queue::{Urgency, Waiter};

#[test]
fn a_far_call_is_granted_once_a_refund_makes_room() {
    let mut world = World::start(SLOW);
    let mut client = world.short_look_ahead_client();
    world.call(&mut client, [10, 8_900]);
    // Tokens are scarce.
    client.join([10, 5_000]);
    let reply = world.exchange(&mut client);
    assert_eq!((reply.calls.len(), reply.place), (0, 1), "{reply:?}");
    // It asks again when it is near: two look-aheads before it is due, in about 98 ms.
    assert!((50_000_000..=58_000_000).contains(&reply.ask_in), "{reply:?}");
    client.give_back(&Amounts::Few([0, 8_000, 0]), client.taken[0].0, world.clock);
    let reply = world.exchange(&mut client);
    assert_eq!((reply.calls.len(), reply.calls[0].wait, reply.place), (1, 0, 0), "{reply:?}");
    client.all_go();
    // Both calls can still be refunded.
    client.give_back(&Amounts::Few([0, 900, 0]), client.taken[0].0, world.clock);
    client.give_back(&Amounts::Few([0, 5_000, 0]), client.taken[1].0, world.clock);
    let reply = world.exchange(&mut client);
    assert_eq!(reply.buckets[1].level, 0, "{reply:?}");
}

#[test]
fn a_call_with_a_later_grant_behind_it_moves_up_as_far_as_the_level_allows() {
    let mut world = World::start(SLOW);
    let (mut client, mut other) = (world.short_look_ahead_client(), world.client());
    world.call(&mut client, [150, 0]);
    client.looks_ahead(60_000_000);
    client.join([150, 0]);
    world.exchange(&mut client);
    other.join([1, 0]);
    world.exchange(&mut other);
    client.give_back(&Amounts::Few([100, 0, 0]), client.taken[0].0, world.clock);
    let reply = world.exchange(&mut client);
    assert_eq!(reply.calls.len(), 0, "{reply:?}");
    // The level counts the grant behind it. Once it has fallen to 180, both may depart.
    let wait = client.slots.slots[0].due - world.clock;
    assert_eq!(wait, reply.buckets[0].level - 180_000_000);
    assert!((80_000_000..=101_000_000).contains(&wait), "{wait}");
    assert_eq!(*client.slots.held, [150, 0]);
}

#[test]
fn a_call_ahead_can_refund_what_it_did_not_use() {
    let mut world = World::start(SLOW);
    let mut client = world.short_look_ahead_client();
    client.looks_ahead(60_000_000);
    for _ in 0..2 {
        world.call(&mut client, [150, 0]);
    }
    client.give_back(&Amounts::Few([50, 0, 0]), client.taken[1].0, world.clock);
    assert_eq!(world.exchange(&mut client).buckets[0].given, 50_000_000);
}

#[test]
fn a_cancelled_call_is_refunded_up_to_the_level_before_the_call_behind_it() {
    let mut world = World::start(SLOW);
    let mut client = world.short_look_ahead_client();
    world.call(&mut client, [150, 0]);
    client.looks_ahead(300_000_000);
    let left = client.join([150, 0]);
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
fn what_a_call_ahead_keeps_from_leaking_cannot_be_refunded_by_earlier_calls() {
    let mut world = World::start(SLOW);
    let mut client = world.short_look_ahead_client();
    world.call(&mut client, [100, 0]);
    client.looks_ahead(100_000_000);
    // All of that leaks.
    world.pass(Duration::from_millis(110));
    client.join([100, 8_900]);
    client.join([10, 9_000]);
    assert_eq!(world.exchange(&mut client).calls.len(), 2);
    assert_eq!(client.slots.slots.len(), 2);
    // So nothing of it can be refunded.
    client.give_back(&Amounts::Few([100, 0, 0]), client.taken[0].0, world.clock);
    assert_eq!(world.exchange(&mut client).buckets[0].given, 0);
}

#[test]
fn a_client_leaves_the_line_when_its_call_is_cancelled() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    // The tokens of twenty days.
    world.call(&mut one, [0, 50_000 * 86_400 * 20]);
    for _ in 0..8 {
        one.join([1, 1]);
        assert_eq!(world.exchange(&mut one).place, 1);
        other.join([1, 1]);
        assert_eq!(world.exchange(&mut other).place, 2);
        // It keeps its place when it is flushed.
        one.slots.flush_now(&one.queue, world.clock);
        one.give_back(&Amounts::Few([0, 1, 0]), one.taken[0].0, world.clock);
        assert_eq!(world.exchange(&mut one).place, 1);
        one.all_leave();
        // It says so at once, although it has nothing else to say.
        let reply = world.exchange(&mut one);
        assert!(reply.decided > 0 && reply.place == 0, "{reply:?}");
        world.pass(Duration::from_secs(1));
        assert_eq!(world.exchange(&mut other).place, 1);
        other.all_leave();
        world.exchange(&mut other);
        assert_eq!(world.exchange(&mut other).decided, 0, "it leaves once");
    }
}

#[test]
fn a_client_that_does_not_ask_again_loses_its_place_in_line() {
    let mut world = World::start(SLOW);
    let (mut dead, mut other) = (world.client(), world.client());
    world.call(&mut dead, [3_000, 0]);
    dead.join([1, 0]);
    assert_eq!(world.exchange(&mut dead).place, 1);
    other.join([1, 0]);
    let behind = world.exchange(&mut other);
    assert!(behind.place == 2 && behind.ask_in > 2_000_000_000, "{behind:?}");
    // The longest pause, two look-aheads of 300 ms, and 50 ms.
    world.pass(Duration::from_millis(1_650));
    assert_eq!(world.exchange(&mut other).place, 1);
}

#[test]
fn a_small_call_of_another_client_waits_behind_the_line() {
    let mut world = World::start(SLOW);
    let (mut large, mut small) = (world.short_look_ahead_client(), world.short_look_ahead_client());
    world.call(&mut large, [180, 0]);
    large.join([180, 0]);
    world.exchange(&mut large);
    // The small one would be near.
    world.pass(Duration::from_millis(100));
    small.join([1, 0]);
    assert_eq!(world.exchange(&mut small).place, 2);
    world.pass(Duration::from_millis(45));
    large.slots.ask_at = 0;
    assert!(world.exchange(&mut large).calls[0].granted);
    small.slots.ask_at = 0;
    assert!(world.exchange(&mut small).calls[0].granted);
    world.granted.sort_by_key(|call| call.at);
    assert_eq!(
        world.granted.iter().map(|call| call.weights[0]).collect::<Vec<_>>(),
        [180, 180, 1].map(|weight| weight * 1_000_000)
    );
}

#[test]
fn a_call_of_another_client_goes_if_there_is_room_for_those_in_line_too() {
    for (tokens, granted) in [(2_000, 1), (2_001, 0)] {
        let mut world = World::start(SLOW);
        let mut clients = [world.client(), world.client(), world.client()];
        // The tokens of ten seconds.
        world.call(&mut clients[0], [0, 500_000]);
        for (client, place) in clients[1..].iter_mut().zip(1..) {
            client.join([1, 3_500]);
            assert_eq!(world.exchange(client).place, place);
        }
        world.give_all_back(&mut clients[0]);
        world.exchange(&mut clients[0]);
        // Now there is room for 9 000.
        let mut other = world.client();
        for _ in 0..2 {
            other.join([1, tokens]);
        }
        let reply = world.exchange(&mut other);
        assert_eq!((reply.granted(), reply.place), (granted, 3), "{reply:?}");
        for client in &mut clients[1..] {
            client.slots.ask_at = 0;
            let reply = world.exchange(client);
            assert_eq!((reply.granted(), reply.calls[0].wait), (1, 0), "{reply:?}");
        }
    }
}

#[test]
fn a_call_behind_a_slot_of_its_client_delays_no_call_in_line() {
    for (tokens, granted) in [(2_900, 1), (5_400, 0)] {
        let mut world = World::start(SLOW);
        let (mut large, mut first, mut other) = (world.client(), world.client(), world.client());
        world.call(&mut other, [180, 0]);
        // It gets a slot in 50 ms, before which none of its calls depart.
        other.join([50, 0]);
        world.exchange(&mut other);
        // The tokens of ten seconds.
        world.call(&mut large, [0, 500_000]);
        first.join([1, 3_500]);
        assert_eq!(world.exchange(&mut first).place, 1);
        world.give_all_back(&mut large);
        world.exchange(&mut large);
        other.give_back(&Amounts::Few([180, 0, 0]), other.taken[0].0, world.clock);
        other.join([0, tokens]);
        let reply = world.exchange(&mut other);
        assert_eq!(reply.granted(), granted, "{reply:?}");
        first.slots.ask_at = 0;
        let reply = world.exchange(&mut first);
        assert_eq!((reply.granted(), reply.calls[0].wait), (1, 0), "{reply:?}");
    }
}

#[test]
fn a_client_is_granted_one_call_before_its_turn_and_keeps_its_place() {
    let mut world = World::start(SLOW);
    let [mut holder, mut first, mut second, mut third] = [(); 4].map(|()| world.client());
    // The tokens of ten seconds.
    world.call(&mut holder, [0, 500_000]);
    let clients = [(&mut first, 2, 3_000), (&mut second, 4, 1_000), (&mut third, 2, 3_000)];
    for ((client, calls, tokens), place) in clients.into_iter().zip(1..) {
        for _ in 0..calls {
            client.join([1, tokens]);
        }
        assert_eq!(world.exchange(client).place, place);
    }
    world.give_all_back(&mut holder);
    world.exchange(&mut holder);
    let mut ask = |client: &mut Tenant, granted, place| {
        client.slots.ask_at = 0;
        let reply = world.exchange(client);
        assert_eq!((reply.granted(), reply.place), (granted, place), "{reply:?}");
        // 3 000 tokens leak.
        world.pass(Duration::from_millis(60));
    };
    // There is room for more than one of its calls.
    ask(&mut second, 1, 2);
    ask(&mut second, 0, 2);
    ask(&mut first, 1, 3);
    ask(&mut second, 2, 3);
    // It had its turn, and waits for the next one.
    ask(&mut second, 1, 0);
}

#[test]
fn clients_in_line_take_turns_of_a_quarter_of_the_burst() {
    let mut world = World::start(SLOW);
    let mut holder = world.short_look_ahead_client();
    let mut clients = [world.short_look_ahead_client(), world.short_look_ahead_client()];
    world.call(&mut holder, [800, 0]);
    for (client, place) in clients.iter_mut().zip(1..) {
        for _ in 0..8 {
            client.join([20, 0]);
        }
        assert_eq!(world.exchange(client).place, place);
    }
    // Now there is room for nine calls, and two of them are a quarter.
    world.give_all_back(&mut holder);
    world.exchange(&mut holder);
    for turn in 0..4 {
        let client = &mut clients[turn % 2];
        client.slots.ask_at = 0;
        let reply = world.exchange(client);
        assert_eq!((reply.calls.len(), reply.place), (2, 2), "{reply:?}");
    }
}

#[test]
fn calls_that_move_up_stay_within_the_bound() {
    let mut world = World::start(SLOW);
    let mut clients =
        [world.short_look_ahead_client(), world.short_look_ahead_client(), world.short_look_ahead_client()];
    clients.iter_mut().for_each(|client| client.looks_ahead(60_000_000));
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
    assert!(world.brought_forward > 30, "{} calls were brought forward", world.brought_forward);
    world.check();
}

#[test]
fn a_small_call_does_not_wait_for_the_slot_of_a_cancelled_large_call() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [180, 0]);
    // The large call is due when the bucket is empty, in 180 ms: beyond this look-ahead.
    client.looks_ahead(100_000_000);
    let large = client.join([800, 0]);
    world.exchange(&mut client);
    client.join([1, 0]);
    client.queue.leave(large);
    assert_eq!(client.slot_due(&Amounts::Few([1, 0, 0]), u64::MAX, world.clock), None);
    let reply = world.exchange(&mut client);
    assert!(reply.calls[0].wait <= 21_000_000, "{:?}", reply.calls);
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
    clients[0].looks_ahead(240_000_000);
    clients[1].looks_ahead(100_000_000);
    let went = large_calls_in_a_minute(&mut world, &mut clients);
    assert!(went.iter().all(|went| *went >= 20), "{went:?} calls went");
}

#[test]
fn a_new_line_begins_after_the_clock_was_set_back() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.short_look_ahead_client(), world.short_look_ahead_client());
    world.call(&mut one, [180, 0]);
    one.join([180, 0]);
    assert_eq!(world.exchange(&mut one).place, 1);
    world.set_server_back(Duration::from_secs(3_600));
    other.join([180, 0]);
    assert_eq!(world.exchange(&mut other).place, 1);
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
    // The second one in line asks every 20 ms while others give back, else when it may be granted.
    assert!((4..=7).contains(&batches_while_kept_back(true)));
    assert_eq!(batches_while_kept_back(false), 1);
}

/// Returns how often a client without a look-ahead asks in 120 ms.
fn batches_while_kept_back(gives_back: bool) -> usize {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.short_look_ahead_client(), world.client());
    world.call(&mut one, [180, 0]);
    one.join([180, 0]);
    world.exchange(&mut one);
    other.looks_ahead(0);
    other.slots.given_at = Some(world.clock).filter(|_| gives_back);
    other.join([180, 0]);
    let mut batches = 0;
    for _ in 0..100 {
        world.pass(Duration::from_millis(1));
        batches += usize::from(world.exchange(&mut other).decided > 0);
    }
    batches
}

#[test]
fn a_call_that_could_have_gone_before_the_reply_arrived_goes_now() {
    let mut world = World::start(SLOW);
    let (mut client, mut other) = (world.client(), world.client());
    client.looks_ahead(600_000_000);
    world.call(&mut client, [1_000, 0]);
    client.join([10, 0]);
    world.exchange(&mut client);
    other.looks_ahead(1_000_000_000);
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
    client.looks_ahead(100_000_000);
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
    assert!(world.exchange(&mut other).decided > 0);
}

#[test]
fn a_call_of_a_higher_priority_does_not_wait_for_the_pause_of_one_that_was_kept_back() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    // The tokens of ten seconds.
    world.call(&mut client, [0, 500_000]);
    client.join([1, 1]);
    assert_eq!(world.exchange(&mut client).place, 1);
    client.join_as(Priority::High, [1, 0]);
    client.looks_at_head(world.clock);
    let reply = world.exchange(&mut client);
    assert_eq!((reply.calls.len(), reply.place), (1, 1), "{reply:?}");
    // The other one is at the head again, and keeps its pause.
    client.all_go();
    client.looks_at_head(world.clock);
    assert_eq!(world.exchange(&mut client).decided, 0);
}

#[test]
fn a_call_behind_one_that_was_kept_back_is_asked_for_when_that_is_cancelled() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [0, 500_000]);
    let left = client.join([1, 1]);
    client.join([1, 0]);
    assert_eq!(world.exchange(&mut client).place, 1);
    client.queue.leave(left);
    client.looks_at_head(world.clock);
    let reply = world.exchange(&mut client);
    assert_eq!((reply.calls.len(), reply.place), (1, 0), "{reply:?}");
}

#[test]
fn a_client_in_line_keeps_its_pause_while_it_has_the_slot_of_a_cancelled_call() {
    let mut world = World::start(SLOW);
    let mut client = world.short_look_ahead_client();
    world.call(&mut client, [180, 0]);
    client.join([5, 0]);
    let left = client.join([5, 0]);
    client.join([180, 0]);
    let reply = world.exchange(&mut client);
    assert_eq!((reply.calls.len(), reply.place), (2, 1), "{reply:?}");
    // Now there are as many slots as calls, but none for the last call.
    client.queue.leave(left);
    let batches = (0..10).filter(|_| world.exchange(&mut client).decided > 0).count();
    assert_eq!(batches, 0);
}

#[test]
fn a_call_behind_the_line_is_not_refused_for_what_was_given_back_since() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    // The tokens of ten seconds.
    world.call(&mut one, [0, 500_000]);
    one.join([1, 1]);
    assert_eq!(world.exchange(&mut one).place, 1);
    one.all_leave();
    world.exchange(&mut one);
    let mut first = world.client();
    // There will be no room for another call beside it.
    first.join([1, 9_000]);
    assert_eq!(world.exchange(&mut first).place, 1);
    world.give_all_back(&mut one);
    world.exchange(&mut one);
    other.wait_at_most = 1_000_000_000;
    other.join([1, 1]);
    let reply = world.exchange(&mut other);
    assert_eq!((reply.calls.len(), reply.place), (0, 2), "{reply:?}");
}

#[test]
fn a_call_that_goes_first_is_not_refused_by_what_was_known_a_look_ahead_ago() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [0, 500_000]);
    client.join([1, 1]);
    assert_eq!(world.exchange(&mut client).place, 1);
    let urgency = Urgency::default().within(1_000_000_000);
    let call = |urgency: Urgency| Waiter::new(Amounts::Few([1, 1, 0]), 0, urgency);
    world.pass(Duration::from_millis(500));
    // Others may have given the tokens back. But a call behind the one in line waits for it.
    let wait = |urgency| client.slots.wait(&call(urgency), &client.queue, world.clock).0;
    assert_eq!(wait(urgency.of(Priority::High)), 0);
    assert!(wait(urgency) > 1_000_000_000);
}

#[test]
fn the_pauses_between_calls_as_large_as_the_burst_count_as_known() {
    let minute = Metering::new(Rate::per_minute(60), Duration::from_secs(1), JITTER, (0, 100));
    let mut world = World::metered_by([minute, metering(SLOW[1])]);
    let mut client = world.client();
    world.call(&mut client, [1, 0]);
    (0..10).for_each(|_| _ = client.join([1, 0]));
    // By the rule of the script.
    let (scale, mut level) = (&world.scales[0], client.slots.level(0, world.clock));
    let mut waited = 0;
    for _ in 0..11 {
        let wait = scale.wait(level, scale.weight(1));
        level = level.saturating_sub(wait) + scale.weight(1);
        waited += wait;
    }
    let call = Waiter::new(Amounts::Few([1, 0, 0]), 0, Urgency::default());
    assert_eq!(client.slots.wait(&call, &client.queue, world.clock), (waited, 0));
    assert!(waited > 11_200_000_000, "{waited}");
}
