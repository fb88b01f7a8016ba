//! Holds, and rates that are slowed down: what was granted before, and what is sent and lost.

use std::time::Duration;

use super::client::Tenant;
use super::world::{SLOW, World};
use crate::backend::Buckets;
use crate::limits::Amounts;

const SECOND: u64 = 1_000_000_000;

/// Slows one limit of a client down to so many thousandths, which the others do not learn.
fn slow(world: &World, client: &mut Tenant, limit: usize, allowed: u64) {
    client.slots.scales[limit].set_rate(allowed, 1_000);
    client.slots.set_paces(world.clock);
}

#[test]
fn calls_that_are_granted_during_a_hold_leave_one_by_one_after_it() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [180, 0]);
    let until = world.clock + SECOND;
    client.slots.hold(until, world.clock);
    (0..400).for_each(|_| _ = client.join([1, 0]));
    world.exchange(&mut client);
    // Others hear of it from now on, and calls are granted shortly before its end.
    while world.clock < until - 10_000_000 {
        world.pass(Duration::from_millis(5));
        world.exchange(&mut client);
    }
    world.clock = client.slots.held_until;
    let mut went = 0;
    while let Some((_, head)) = client.queue.head()
        && client.slots.due(head, world.clock).is_some_and(|due| due.at <= world.clock)
    {
        client.one_goes();
        went += 1;
    }
    assert!(went <= 20, "{went} calls leave at once");
}

#[test]
fn slots_do_not_move_up_because_the_rate_was_slowed_down() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [180, 0]);
    for _ in 0..2 {
        client.join([60, 0]);
    }
    world.exchange(&mut client);
    let before: Vec<_> = client.slots.slots.iter().map(|slot| slot.due).collect();
    slow(&world, &mut client, 0, 125);
    client.slots.owe(&Amounts::Few([0, 1, 0]), world.clock);
    world.exchange(&mut client);
    let after: Vec<_> = client.slots.slots.iter().map(|slot| slot.due).collect();
    assert_eq!(before, after);
}

#[test]
fn a_hold_in_a_batch_that_was_given_up_is_sent_again() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    world.call(&mut one, [1, 0]);
    one.slots.hold(world.clock + SECOND, world.clock);
    assert!(one.slots.collect(&one.queue, false, world.clock).is_ok());
    one.slots.give_up(world.clock);
    one.slots.owe(&Amounts::Few([1, 0, 0]), world.clock);
    world.exchange(&mut one);
    assert!(one.slots.held_until > world.clock);
    world.call(&mut other, [1, 0]);
    assert!(other.slots.held_until > world.clock);
}

#[test]
fn a_hold_is_as_long_after_the_clock_was_set_back() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [1, 0]);
    client.slots.hold(world.clock + 10 * SECOND, world.clock);
    world.exchange(&mut client);
    world.set_server_back(Duration::from_secs(3_600));
    client.slots.owe(&Amounts::Few([1, 0, 0]), world.clock);
    let rest = world.exchange(&mut client).held_for;
    assert!((9 * SECOND..=11 * SECOND).contains(&rest), "{rest}");
    // Also one that began while the client knew the old time only.
    world.set_server_back(Duration::from_secs(3_600));
    client.slots.hold(world.clock + 20 * SECOND, world.clock);
    let rest = world.exchange(&mut client).held_for;
    assert!((19 * SECOND..=21 * SECOND).contains(&rest), "{rest}");
}

#[test]
fn a_hold_is_not_shorter_because_the_reply_before_it_was_late() {
    let (mut world, mut client, mut other) = World::of_two();
    world.set_server_back(Duration::from_secs(3_600));
    // Also where the server's clock was set ahead just before.
    for set_ahead in [0, 1_800] {
        world.learn(&mut client);
        world.set_server_ahead(Duration::from_secs(set_ahead));
        client.join([1, 0]);
        let mut until = 0;
        world.exchange_while(&mut client, |world, client| {
            world.pass(Duration::from_secs(1));
            until = world.clock + SECOND / 2;
            client.slots.hold(until, world.clock);
            client.slots.hold_limit(1, until, world.clock);
        });
        world.exchange(&mut client);
        assert!(client.slots.held_until() >= until && client.slots.limit_held_until(1) >= until);
        let reply = world.learn(&mut other);
        let rest = until - world.clock;
        assert!(reply.held_for >= rest && reply.buckets[1].shut_for >= rest, "{reply:?}");
        world.pass(Duration::from_secs(2));
    }
}

#[test]
fn a_hold_is_not_longer_because_the_batch_before_it_arrived_late() {
    let (mut world, mut client, mut other) = World::of_two();
    // Also where the server's clock was set. The first reply after that says how it differs.
    for set_back in [Duration::ZERO, Duration::from_secs(3_600)] {
        world.set_server_back(set_back);
        world.learn(&mut client);
        client.slots.wants_news = true;
        let sent = world.clock;
        let batch = client.slots.collect(&client.queue, false, sent).unwrap();
        world.pass(Duration::from_secs(1));
        let reply = world.run(&mut client, &batch);
        client.slots.apply(&reply, &client.queue, sent, world.clock);
        let until = world.clock + SECOND / 2;
        client.slots.hold(until, world.clock);
        client.slots.hold_limit(1, until, world.clock);
        world.exchange(&mut client);
        let reply = world.learn(&mut other);
        let rest = until - world.clock;
        // The clocks may differ by a thousandth of the second that passed.
        let all = rest..=rest + SECOND / 500;
        assert!(all.contains(&reply.held_for) && all.contains(&reply.buckets[1].shut_for), "{reply:?}");
        world.pass(Duration::from_secs(1));
    }
}

#[test]
fn a_hold_that_begins_after_a_release_in_the_same_batch_ends_when_it_says() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [1, 0]);
    client.slots.hold(world.clock + 100 * SECOND, world.clock);
    world.exchange(&mut client);
    client.slots.release(world.clock);
    client.slots.hold(world.clock + SECOND, world.clock);
    let rest = world.exchange(&mut client).held_for;
    assert!(rest <= 2 * SECOND, "{rest}");
}

#[test]
fn a_later_hold_does_not_extend_one_beyond_its_own_end() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    for client in [&mut one, &mut other] {
        world.call(client, [1, 0]);
    }
    one.slots.hold(world.clock + 10 * SECOND, world.clock);
    world.exchange(&mut one);
    for (passed, time, rest) in [(4, 3, 6), (3, 5, 5)] {
        world.clock += passed * SECOND;
        other.slots.hold(world.clock + time * SECOND, world.clock);
        let held = world.exchange(&mut other).held_for;
        assert!(held.abs_diff(rest * SECOND) < SECOND / 100, "{held}");
    }
}

#[test]
fn a_hold_that_began_after_a_loss_lasts_although_the_clock_is_behind() {
    let (mut world, mut one, mut other) = World::of_two();
    world.pass(Duration::from_secs(10));
    world.learn(&mut one);
    world.learn(&mut other);
    world.lose_the_state(&[]);
    world.set_server_back(Duration::from_millis(500));
    let until = world.clock + 60 * SECOND;
    one.slots.hold(until, world.clock);
    one.slots.hold_limit(0, until, world.clock);
    world.exchange(&mut one);
    for client in [&mut other, &mut one] {
        let reply = world.learn(client);
        for rest in [reply.held_for, reply.buckets[0].shut_for] {
            assert!(rest > 59 * SECOND, "{rest}");
        }
    }
}

#[test]
fn a_hold_outlasts_a_state_that_was_lost() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [1, 0]);
    let until = world.clock + 100 * SECOND;
    client.slots.hold(until, world.clock);
    world.exchange(&mut client);
    world.lose_the_state(&[]);
    assert!(world.learn(&mut client).held_for > 99 * SECOND);
    assert!(client.slots.held_until >= until);
}

#[test]
fn a_hold_of_centuries_leaves_replies_readable() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    client.slots.max_hold = u64::MAX;
    world.call(&mut client, [1, 0]);
    client.slots.hold(u64::MAX, world.clock);
    assert!(world.exchange(&mut client).held_for > 1_000_000 * SECOND);
}

#[test]
fn the_state_is_kept_for_as_long_as_a_hold_lasts() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    client.slots.max_hold = u64::MAX;
    world.call(&mut client, [1, 0]);
    client.slots.hold(world.clock + 7_200 * SECOND, world.clock);
    world.exchange(&mut client);
    let kept = world.kept_for(&client.keys[0]);
    assert!(kept >= 7_200, "{kept}");
}

#[test]
fn the_state_is_kept_until_its_debts_have_leaked() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, [1, 0]);
    // At 1 000 a second.
    client.slots.owe(&Amounts::Few([7_200_000, 0, 0]), world.clock);
    world.exchange(&mut client);
    let kept = world.kept_for(&client.keys[0]);
    assert!(kept >= 7_200, "{kept}");
}

#[test]
fn a_hold_that_calls_were_granted_for_the_end_of_does_not_end_earlier() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    for client in [&mut one, &mut other] {
        client.looks_ahead(300_000_000);
        world.call(client, [1, 0]);
    }
    let until = world.clock + 250_000_000;
    one.slots.hold(until, world.clock);
    world.exchange(&mut one);
    other.join([100, 0]);
    world.exchange(&mut other);
    assert_eq!(other.slots.slots.len(), 1);
    one.slots.release(world.clock);
    // Neither does a shorter one begin then.
    one.slots.hold(world.clock + 10_000_000, world.clock);
    one.join([100, 0]);
    world.exchange(&mut one);
    assert!(other.slots.slots[0].due.abs_diff(until) < 2_000_000);
    assert!(one.slots.slots[0].due > until + 15_000_000);
    // The end of a longer hold may be moved up to there.
    one.slots.hold(until + SECOND, world.clock);
    world.exchange(&mut one);
    one.slots.release(world.clock);
    world.exchange(&mut one);
    assert!(one.slots.held_until.abs_diff(until) < 2_000_000);
}

#[test]
fn grants_stay_within_the_bound_while_rates_change_and_holds_come_and_go() {
    (1..=8).for_each(rates_change_and_holds_come_and_go);
}

fn rates_change_and_holds_come_and_go(seed: u64) {
    let mut world = World::start(SLOW);
    world.random = world.random.wrapping_mul(seed);
    let mut clients = [world.client(), world.client(), world.client()];
    clients[1].looks_ahead(100_000_000);
    clients[2].looks_ahead(20_000_000);
    for _ in 0..3_000 {
        let client = &mut clients[world.random(3)];
        match world.random(60) {
            0..3 => {
                let time = world.random(80) as u64;
                world.pass(Duration::from_millis(time));
            }
            3..9 => world.give_back(client),
            9 => world.give_all_back(client),
            10..14 => {
                let (limit, allowed) = (world.random(2), [125, 300, 500, 1_000][world.random(4)]);
                slow(&world, client, limit, allowed);
            }
            14 => client.slots.hold(world.clock + world.random(400_000_000) as u64, world.clock),
            15 => client.slots.release(world.clock),
            17 | 18 => {
                let until = world.clock + world.random(400_000_000) as u64;
                client.slots.hold_limit(world.random(2), until, world.clock);
            }
            16 => {
                client.slots.cap_bucket(world.random(2), world.random(100) as i64 - 50, world.clock);
            }
            _ => {}
        }
        for _ in 0..world.random(4) {
            let (requests, tokens) =
                (world.random(3), world.random(400) * if world.random(50) == 0 { 40 } else { 1 });
            client.join([requests as u64, tokens as u64]);
        }
        world.exchange_while(client, |world, client| match world.random(12) {
            0..3 => world.give_back(client),
            3 => {
                let (limit, allowed) = (world.random(2), [125, 300, 500, 1_000][world.random(4)]);
                slow(world, client, limit, allowed);
            }
            _ => {}
        });
        client.leave_or_go(&mut world);
    }
    world.check();
}

#[test]
fn what_was_granted_for_the_end_of_a_hold_stays_when_a_reply_comes_a_little_later() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    client.looks_ahead(300_000_000);
    world.call(&mut client, [180, 0]);
    client.slots.hold(world.clock + 200_000_000, world.clock);
    world.exchange(&mut client);
    (0..100).for_each(|_| _ = client.join([1, 0]));
    world.exchange(&mut client);
    let slots = client.slots.slots.len();
    assert!(slots >= 50, "{slots}");
    client.slots.owe(&Amounts::Few([0, 1, 0]), world.clock);
    world.exchange_while(&mut client, |world, _| world.pass(Duration::from_micros(300)));
    assert_eq!(client.slots.slots.len(), slots);
}

#[test]
fn calls_depart_within_the_bound_and_never_during_a_hold_whatever_the_round_trips_take() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client(), world.client()];
    clients[1].looks_ahead(100_000_000);
    let mut departed = Vec::new();
    for _ in 0..10_000 {
        let client = &mut clients[world.random(3)];
        if world.random(800) == 0 {
            let time = 20_000_000 + world.random(500_000_000) as u64;
            client.slots.hold(world.clock + time, world.clock);
        }
        if world.random(900) == 0 {
            client.slots.release(world.clock);
        }
        while client.queue.len() < 30 {
            client.join([1, 0]);
        }
        let trip = world.random(500) as u64;
        world.exchange_while(client, |world, _| world.pass(Duration::from_micros(trip)));
        for client in &mut clients {
            while let Some((key, head)) = client.queue.head()
                && client.slots.due(head, world.clock).is_some_and(|due| due.at <= world.clock)
            {
                assert!(client.slots.held_until <= world.clock);
                client.slots.take_slot(head.amounts.as_slice(), world.clock);
                client.queue.leave(key);
                departed.push(world.clock);
            }
        }
    }
    assert!(departed.len() > 500, "{} calls departed", departed.len());
    for (first, from) in departed.iter().enumerate() {
        for (calls, at) in (1..).zip(&departed[first..]) {
            assert!(calls <= 200 + (at - from) / 1_000_000, "{calls} calls in {} ns", at - from);
        }
    }
}

/// A client whose calls depart while another one begins a hold, and the batches that it sent.
struct Departing {
    world: World,
    one: Tenant,
    other: Tenant,
    batches: u32,
    departed: Vec<u64>,
}

impl Departing {
    /// Its look-ahead is 100 ms, and the bucket of requests is full.
    fn start(lease: Option<u64>) -> Self {
        let mut world = World::start(SLOW);
        let (mut one, mut other) = (world.client(), world.client());
        other.looks_ahead(100_000_000);
        other.slots.terms.lease = lease;
        world.call(&mut one, [if lease.is_some() { 1 } else { 180 }, 0]);
        Self { world, one, other, batches: 0, departed: Vec::new() }
    }

    /// Lets a millisecond pass, in which the driver works, and calls depart that are due.
    fn pass(&mut self) {
        self.world.pass(Duration::from_millis(1));
        self.drive();
        while self.other.goes_in_time(self.world.clock) {
            self.departed.push(self.world.clock);
        }
    }

    /// Sends a batch if one is due.
    fn drive(&mut self) {
        let (now, slots) = (self.world.clock, &self.other.slots);
        if slots.next_batch(&self.other.queue, now) <= now {
            self.batches += 1;
            self.world.exchange(&mut self.other);
        }
    }

    /// Has a call depart from the lease, as the limiter does. Returns true if it departs.
    fn takes(&mut self) -> bool {
        let (now, slots) = (self.world.clock, &mut self.other.slots);
        let takes = slots.take_quickly(&[1, 0], now).or_else(|| slots.take(&[1, 0], now)).is_some();
        if takes {
            self.departed.push(now);
        }
        takes
    }

    /// Has the other client hold all calls, or those that take from one limit. Returns when the
    /// server knows.
    fn hold(&mut self, limit: Option<usize>) -> u64 {
        let (now, until) = (self.world.clock, self.world.clock + SECOND);
        match limit {
            Some(place) => self.one.slots.hold_limit(place, until, now),
            None => self.one.slots.hold(until, now),
        }
        self.world.exchange(&mut self.one);
        self.world.clock
    }
}

/// An eighth of a look-ahead of 100 ms, and two round trips and steps of the driver.
const NEWS: u64 = 100_000_000 / 8 + 2_400_000;

#[test]
fn calls_depart_for_an_eighth_of_the_look_ahead_and_two_round_trips_after_a_hold_of_another_client() {
    // While more calls wait than have slots, and while all have.
    for (calls, limit) in [(1_000, None), (90, None), (1_000, Some(0)), (90, Some(0))] {
        let mut client = Departing::start(None);
        (0..calls).for_each(|_| _ = client.other.join([1, 0]));
        (0..50).for_each(|_| client.pass());
        let began = client.hold(limit);
        (0..300).for_each(|_| client.pass());
        let late = client.departed.last().unwrap() - began;
        assert!(late <= NEWS, "{calls} calls: {late}");
    }
}

#[test]
fn no_call_that_was_granted_long_before_departs_during_a_hold() {
    for before in [16, 30, 90, 150] {
        let mut client = Departing::start(None);
        // It is due in about 160 ms, far beyond the look-ahead.
        client.other.join([160, 0]);
        client.drive();
        let due = client.other.slots.slots[0].due;
        assert!(due > client.world.clock + 155_000_000);
        while client.world.clock < due - before * 1_000_000 {
            client.pass();
        }
        client.hold(None);
        (0..300).for_each(|_| client.pass());
        assert_eq!((client.departed.len(), client.other.queue.len()), (0, 1), "{before} ms before");
    }
}

#[test]
fn a_client_asks_for_news_at_most_every_eighth_of_the_look_ahead_and_only_before_calls_depart() {
    let mut client = Departing::start(None);
    client.other.join([160, 0]);
    (0..300).for_each(|_| client.pass());
    assert_eq!((client.departed.len(), client.batches), (1, 2));
    let mut client = Departing::start(None);
    (0..90).for_each(|_| _ = client.other.join([1, 0]));
    (0..300).for_each(|_| client.pass());
    assert_eq!(client.departed.len(), 90);
    // The first one grants all of them, within 90 ms.
    assert!((6..=1 + 90 / 12).contains(&client.batches), "{} batches", client.batches);
}

#[test]
fn a_client_asks_for_news_late_enough_for_a_batch_with_calls_to_come_first() {
    let mut client = Departing::start(None);
    client.other.join([160, 0]);
    client.drive();
    let due = client.other.slots.slots[0].due;
    while client.batches < 2 {
        client.pass();
    }
    // A sixteenth of the look-ahead before the call departs, and not an eighth; and a round trip.
    let before = due - client.world.clock;
    assert!((5_000_000..=8_000_000).contains(&before), "{before} ns before");
}

#[test]
fn calls_depart_from_a_lease_for_as_long_after_a_hold_of_another_client() {
    let mut client = Departing::start(Some(150_000_000));
    client.other.slots.request_lease(&Amounts::Few([1, 0, 0]));
    client.drive();
    for _ in 0..30 {
        client.pass();
        assert!(client.takes());
    }
    assert!(client.batches <= 1 + 30 / 12, "{} batches", client.batches);
    let began = client.hold(None);
    for _ in 0..60 {
        client.pass();
        client.takes();
    }
    let late = client.departed.last().unwrap() - began;
    assert!(late <= NEWS, "{late}");
}

#[test]
fn a_lease_that_is_not_used_asks_for_nothing_and_its_next_call_for_news() {
    let mut client = Departing::start(Some(150_000_000));
    client.other.slots.request_lease(&Amounts::Few([1, 0, 0]));
    client.drive();
    (0..50).for_each(|_| client.pass());
    assert_eq!(client.batches, 1);
    client.hold(None);
    // The first one may depart, and no more once there is a reply.
    assert!(client.takes() && client.takes());
    client.drive();
    assert!(!client.takes());
    assert_eq!(client.batches, 2);
}

#[test]
fn a_reply_that_was_held_up_and_grants_nothing_leaves_a_lease_as_it_was() {
    let mut client = Departing::start(Some(150_000_000));
    client.other.slots.request_lease(&Amounts::Few([1, 0, 0]));
    client.drive();
    client.world.pass(Duration::from_millis(20));
    client.takes();
    let Departing { world, other, .. } = &mut client;
    let reply = world.exchange_while(other, |world, _| world.pass(Duration::from_millis(50)));
    assert!(reply.decided > 0 && reply.calls.is_empty());
    assert!(client.takes());
}
