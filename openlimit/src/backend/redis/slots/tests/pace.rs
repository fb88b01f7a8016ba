//! The pace of shared limits: every client learns of a cut, and each crowd cuts once.

use std::collections::VecDeque;
use std::time::Duration;

use super::alone::alone;
use super::client::Tenant;
use super::world::{SLOW, World, metering};
use crate::backend::Buckets;
use crate::bucket::{CLIMB, SLOW_CLIMB};
use crate::error::{StoreError, StoreProblem};
use crate::limits::{Amounts, Percent};
use crate::queue::{Urgency, Waiter};

const SECOND: Duration = Duration::from_secs(1);

/// Has a call of a client granted, and returns its charge.
fn charged(world: &mut World, client: &mut Tenant) -> u64 {
    world.call(client, [1, 10]);
    client.taken.last().expect("it was admitted").0
}

/// Returns the pace of requests in thousandths, as a client knows it.
fn pace(world: &World, client: &Tenant) -> u64 {
    let (part, of) = client.slots.look(world.clock)[0].part;
    u64::try_from((1_000 * part + of / 2) / of).expect("a small number")
}

/// Lets a client learn what the server knows.
fn learn(world: &mut World, client: &mut Tenant) {
    world.call(client, [0, 1]);
}

/// A world whose clients look at limits that the tests of this file give places.
fn start() -> (World, Tenant, Tenant) {
    let mut world = World::start(SLOW);
    let (one, other) = (world.client(), world.client());
    (world, one, other)
}

#[test]
fn a_cut_reaches_the_other_clients_with_their_next_batch() {
    let (mut world, mut one, mut other) = start();
    let charge = charged(&mut world, &mut one);
    learn(&mut world, &mut other);
    assert!(one.slots.cut(0, CLIMB, charge, world.clock));
    assert_eq!((pace(&world, &one), pace(&world, &other)), (500, 1_000));
    world.exchange(&mut one);
    learn(&mut world, &mut other);
    assert_eq!((pace(&world, &one), pace(&world, &other)), (500, 500));
    world.pass(2 * SECOND);
    assert_eq!((pace(&world, &one), pace(&world, &other)), (700, 700));
    // A request weighs a millisecond at the whole rate. 180 fit.
    (0..400).for_each(|_| _ = other.join([1, 0]));
    let reply = world.exchange(&mut other);
    let wait = reply.calls.last().expect("calls were granted").wait;
    let expected = reply.calls.len() as u64 * 1_000_000 * 10 / 7 - 180_000_000;
    assert!(wait.abs_diff(expected) < 5_000_000, "{wait} for {expected}");
    world.pass(4 * SECOND);
    learn(&mut world, &mut one);
    assert_eq!(pace(&world, &one), 1_000);
}

#[test]
fn calls_of_one_crowd_cut_the_rate_once_whichever_clients_they_are_of() {
    let (mut world, mut one, mut other) = start();
    let charges = [charged(&mut world, &mut one), charged(&mut world, &mut one)];
    let others = charged(&mut world, &mut other);
    assert!(one.slots.cut(0, CLIMB, charges[0], world.clock));
    assert!(!one.slots.cut(0, CLIMB, charges[1], world.clock));
    assert!(other.slots.cut(0, CLIMB, others, world.clock));
    learn(&mut world, &mut one);
    learn(&mut world, &mut other);
    learn(&mut world, &mut one);
    assert_eq!((pace(&world, &one), pace(&world, &other)), (500, 500));
    assert!(!other.slots.cut(0, CLIMB, others, world.clock));
    // A call that was charged after the cut may cut it again.
    let later = charged(&mut world, &mut other);
    assert!(other.slots.cut(0, CLIMB, later, world.clock));
    for client in [&mut other, &mut one] {
        learn(&mut world, client);
    }
    assert_eq!((pace(&world, &one), pace(&world, &other)), (250, 250));
}

#[test]
fn the_known_wait_counts_on_the_climb_of_the_rate() {
    let (mut world, mut one, _) = start();
    let charge = charged(&mut world, &mut one);
    assert!(one.slots.cut(0, CLIMB, charge, world.clock));
    world.exchange(&mut one);
    // At the whole rate these take 10 s. In the first 5 s a quarter of that is missing.
    (0..200).for_each(|_| _ = one.join([50, 0]));
    let call = Waiter::new(Amounts::Few([50, 0, 0]), 0, Urgency::default());
    let wait = |one: &Tenant, now| Duration::from_nanos(one.slots.wait(&call, &one.queue, now).0);
    let (known, longest) = (wait(&one, world.clock), Duration::from_millis(11_250));
    assert!(known > 9 * SECOND && known < longest, "{known:?}");
    // No batch has been sent since.
    let known = wait(&one, world.clock + 60_000_000_000);
    assert!(known < 10 * SECOND, "{known:?}");
}

#[test]
fn cuts_end_at_an_eighth_and_a_slower_climb_counts() {
    let (mut world, mut one, mut other) = start();
    for _ in 0..6 {
        let charge = charged(&mut world, &mut one);
        assert!(one.slots.cut(0, CLIMB, charge, world.clock));
        world.exchange(&mut one);
    }
    assert_eq!(pace(&world, &one), 125);
    learn(&mut world, &mut other);
    let charge = charged(&mut world, &mut other);
    other.slots.cut(0, SLOW_CLIMB, charge, world.clock);
    world.exchange(&mut other);
    learn(&mut world, &mut one);
    world.pass(360 * SECOND);
    assert_eq!((pace(&world, &one), pace(&world, &other)), (225, 225));
}

#[test]
fn a_rate_does_not_climb_during_a_hold() {
    let (mut world, mut one, mut other) = start();
    let charge = charged(&mut world, &mut one);
    one.slots.cut(0, CLIMB, charge, world.clock);
    one.slots.hold(world.clock + 20 * SECOND.as_nanos() as u64, world.clock);
    world.exchange(&mut one);
    world.pass(10 * SECOND);
    one.slots.owe(&Amounts::Few([0, 1, 0]), world.clock);
    world.exchange(&mut one);
    world.exchange(&mut other);
    other.slots.owe(&Amounts::Few([0, 1, 0]), world.clock);
    world.exchange(&mut other);
    assert_eq!((pace(&world, &one), pace(&world, &other)), (500, 500));
    world.pass(12 * SECOND);
    assert!(pace(&world, &one).abs_diff(700) <= 1, "{}", pace(&world, &one));
    // After a release it goes on from where it stood.
    one.slots.hold(world.clock + 20 * SECOND.as_nanos() as u64, world.clock);
    world.exchange(&mut one);
    world.pass(SECOND);
    Buckets::release(&mut one.slots, world.clock);
    world.exchange(&mut one);
    assert!(pace(&world, &one).abs_diff(700) <= 1, "{}", pace(&world, &one));
}

#[test]
fn calls_weigh_as_much_before_during_and_after_a_hold_that_is_released() {
    let (mut world, mut one, mut other) = start();
    let charge = charged(&mut world, &mut one);
    one.slots.cut(0, CLIMB, charge, world.clock);
    for client in [&mut one, &mut other] {
        learn(&mut world, client);
    }
    let at_half = 2_000_000 * 9 / 10..=2_000_000;
    for client in [&mut one, &mut other] {
        // Before the server knows of the hold, while it does, and after a release it does not know.
        client.slots.hold(world.clock + 20 * SECOND.as_nanos() as u64, world.clock);
        for step in 0..3 {
            client.slots.set_paces(world.clock);
            let weight = client.slots.scales[0].weight(1);
            assert!(at_half.contains(&weight), "{weight} in step {step}");
            if step == 0 {
                world.exchange(client);
            } else {
                client.slots.release(world.clock);
            }
        }
        world.exchange(client);
    }
}

#[test]
fn a_slow_climb_goes_on_after_a_probe_from_where_it_stood() {
    let (mut world, mut one, mut other) = start();
    let charge = charged(&mut world, &mut one);
    learn(&mut world, &mut other);
    one.slots.cut(0, SLOW_CLIMB, charge, world.clock);
    one.slots.exhaust(world.clock + SECOND.as_nanos() as u64, world.clock);
    world.exchange(&mut one);
    world.pass(2 * SECOND);
    let weight = |client: &Tenant| client.slots.scales[0].weight(1);
    // It has the probe, whose call departs.
    let charge = charged(&mut world, &mut one);
    assert!(weight(&one).abs_diff(2_000_000) < 10_000, "{}", weight(&one));
    one.slots.exhaust(world.clock + 60 * SECOND.as_nanos() as u64, world.clock);
    world.exchange(&mut one);
    other.slots.wants_news = true;
    world.exchange(&mut other);
    world.pass(30 * SECOND);
    one.slots.release(world.clock);
    world.exchange(&mut one);
    world.pass(SECOND);
    other.slots.wants_news = true;
    world.exchange(&mut other);
    for client in [&mut one, &mut other] {
        learn(&mut world, client);
        let missing = client.slots.climbs[0].climb.missing(world.clock);
        assert!(missing.abs_diff(1_800 * SECOND.as_nanos() as u64) < 5_000_000_000, "{missing}");
    }
    assert!(one.slots.cut(0, SLOW_CLIMB, charge, world.clock));
}

#[test]
fn calls_that_were_charged_alone_cut_the_rate_once_when_the_server_is_back() {
    let (mut world, mut one, mut other) = start();
    learn(&mut world, &mut one);
    let alone: Vec<_> = (0..3)
        .map(|_| one.slots.alone.share.charge(&Amounts::Few([1, 1, 0]), world.clock, world.clock))
        .collect();
    for charge in alone {
        one.slots.cut(0, CLIMB, charge, world.clock);
        world.exchange(&mut one);
        learn(&mut world, &mut other);
        charged(&mut world, &mut other);
        learn(&mut world, &mut one);
    }
    assert_eq!((pace(&world, &one), pace(&world, &other)), (500, 500));
}

#[test]
fn a_rate_in_a_batch_that_was_delayed_does_not_replace_a_newer_one() {
    for others in [0, 500] {
        let (mut world, mut one, mut other) = start();
        learn(&mut world, &mut one);
        learn(&mut world, &mut other);
        one.slots.set_rate(0, 250, 1_000, world.clock);
        let batch = one.slots.collect(&one.queue, true, world.clock).unwrap();
        world.pass(2 * SECOND);
        if others > 0 {
            other.slots.set_rate(0, others, 1_000, world.clock);
            world.exchange(&mut other);
        }
        answer(&mut world, &mut one, &batch);
        learn(&mut world, &mut other);
        let expected = if others > 0 { others } else { 250 };
        assert_eq!((pace(&world, &one), pace(&world, &other)), (expected, expected));
        // A response says it again.
        assert_eq!(one.slots.differs(0, 250, 1_000), others > 0);
    }
}

/// Cuts a client off, which decides alone at the whole limit from then on. Returns the batch that
/// gets no reply.
fn cut_off(world: &World, client: &mut Tenant) -> Vec<u8> {
    let batch = client.slots.collect(&client.queue, true, world.clock).unwrap();
    let error = StoreError::new(&"".into(), StoreProblem::TimedOut(Duration::ZERO));
    client.slots.failed(&error, &client.queue, world.clock);
    assert!(client.slots.is_local());
    batch
}

fn answer(world: &mut World, client: &mut Tenant, batch: &[u8]) {
    let reply = world.run(client, batch);
    client.slots.apply(&reply, &client.queue, world.clock, world.clock);
}

#[test]
fn a_cut_of_a_process_that_is_alone_reaches_the_others_when_it_is_back() {
    for cuts in [1, 2] {
        let (mut world, one, mut other) = start();
        let mut one = alone(one, Percent(100));
        learn(&mut world, &mut one);
        learn(&mut world, &mut other);
        let batch = cut_off(&world, &mut one);
        let call = Amounts::Few([1, 1, 0]);
        for _ in 0..cuts {
            let charge = one.slots.charge(&call, world.clock, world.clock);
            assert!(one.slots.cut(0, CLIMB, charge, world.clock));
            assert!(!one.slots.cut(0, CLIMB, charge, world.clock));
        }
        let expected = 1_000 >> cuts;
        assert_eq!(pace(&world, &one), expected);
        world.pass(2 * SECOND);
        assert_eq!((pace(&world, &one), pace(&world, &other)), (expected + 200, 1_000));
        answer(&mut world, &mut one, &batch);
        world.exchange(&mut one);
        learn(&mut world, &mut other);
        assert_eq!((pace(&world, &one), pace(&world, &other)), (expected + 200, expected + 200));
        world.pass(6 * SECOND);
        learn(&mut world, &mut one);
        learn(&mut world, &mut other);
        assert_eq!((pace(&world, &one), pace(&world, &other)), (1_000, 1_000));
    }
}

#[test]
fn the_slower_of_two_climbs_is_left_where_one_is_of_a_process_that_was_alone() {
    for slow_is_alone in [false, true] {
        let (mut world, one, mut other) = start();
        let mut one = alone(one, Percent(100));
        learn(&mut world, &mut one);
        let shared = charged(&mut world, &mut other);
        let batch = cut_off(&world, &mut one);
        let charge = one.slots.charge(&Amounts::Few([1, 1, 0]), world.clock, world.clock);
        let [span, span_of_other] = if slow_is_alone { [SLOW_CLIMB, CLIMB] } else { [CLIMB, SLOW_CLIMB] };
        one.slots.cut(0, span, charge, world.clock);
        other.slots.cut(0, span_of_other, shared, world.clock);
        world.exchange(&mut other);
        world.pass(SECOND);
        answer(&mut world, &mut one, &batch);
        world.exchange(&mut one);
        learn(&mut world, &mut other);
        assert_eq!((pace(&world, &one), pace(&world, &other)), (500, 500), "{slow_is_alone}");
        world.pass(1_790 * SECOND);
        assert!(pace(&world, &other).abs_diff(997) <= 1, "{}", pace(&world, &other));
    }
}

#[test]
fn a_process_that_is_alone_keeps_to_a_rate_that_another_one_has_cut() {
    let (mut world, one, mut other) = start();
    let mut one = alone(one, Percent(100));
    let charge = charged(&mut world, &mut other);
    assert!(other.slots.cut(0, SLOW_CLIMB, charge, world.clock));
    world.exchange(&mut other);
    learn(&mut world, &mut one);
    world.pass(SECOND);
    cut_off(&world, &mut one);
    let (mut taken, began) = (0, world.clock);
    while world.clock < began + 4_000_000_000 {
        world.pass(Duration::from_millis(1));
        taken += u64::from(one.slots.take(&[1, 0, 0], world.clock).is_some());
    }
    // Half of four seconds, and the burst.
    assert!((2_150..=2_200).contains(&taken), "{taken}");
}

#[test]
fn a_cut_while_a_climb_is_restored_counts() {
    let (mut world, mut one, mut other) = start();
    let charge = charged(&mut world, &mut one);
    one.slots.cut(0, CLIMB, charge, world.clock);
    world.exchange(&mut one);
    world.lose_the_state(&[]);
    let charge = charged(&mut world, &mut one);
    assert!(one.slots.cut(0, CLIMB, charge, world.clock));
    world.exchange(&mut one);
    learn(&mut world, &mut other);
    assert_eq!((pace(&world, &one), pace(&world, &other)), (250, 250));
    // The crowd before the restored climb does not cut it again.
    assert!(!one.slots.cut(0, CLIMB, charge, world.clock));
    assert!(!other.slots.cut(0, CLIMB, charge, world.clock));
}

#[test]
fn a_cut_in_a_batch_that_was_given_up_is_sent_again_and_counts_once() {
    let (mut world, mut one, mut other) = start();
    let charge = charged(&mut world, &mut one);
    one.slots.cut(0, CLIMB, charge, world.clock);
    assert!(one.slots.collect(&one.queue, false, world.clock).is_ok());
    one.slots.give_up(world.clock);
    one.slots.owe(&Amounts::Few([0, 1, 0]), world.clock);
    world.exchange(&mut one);
    learn(&mut world, &mut other);
    assert_eq!((pace(&world, &one), pace(&world, &other)), (500, 500));
}

#[test]
fn a_cut_and_a_rate_outlast_a_state_that_was_lost() {
    let (mut world, mut one, mut other) = start();
    let charge = charged(&mut world, &mut one);
    one.slots.cut(0, CLIMB, charge, world.clock);
    one.slots.set_rate(0, 500, 1_000, world.clock);
    world.exchange(&mut one);
    assert_eq!(pace(&world, &one), 250);
    world.lose_the_state(&[]);
    learn(&mut world, &mut one);
    world.exchange(&mut one);
    learn(&mut world, &mut other);
    assert_eq!((pace(&world, &one), pace(&world, &other)), (250, 250));
}

#[test]
fn a_cut_ends_when_it_would_have_after_the_clock_was_set_back() {
    let (mut world, mut one, mut other) = start();
    let charge = charged(&mut world, &mut one);
    one.slots.cut(0, CLIMB, charge, world.clock);
    world.exchange(&mut one);
    world.set_server_back(3_600 * SECOND);
    learn(&mut world, &mut one);
    learn(&mut world, &mut other);
    assert!(pace(&world, &other).abs_diff(500) <= 1, "{}", pace(&world, &other));
    world.pass(6 * SECOND);
    learn(&mut world, &mut other);
    assert_eq!(pace(&world, &other), 1_000);
}

#[test]
fn a_rate_that_the_provider_allows_reaches_the_other_clients_and_those_that_adopt_none_stay_as_declared() {
    let mut world = World::metered_by(SLOW.map(|rate| metering(rate).open()));
    let (mut one, mut other) = (world.client(), world.client());
    let mut declared = World::start(SLOW).client();
    learn(&mut world, &mut one);
    for (allowed, expected) in [(250, 250), (3_000, 3_000), (1, 125), (u64::MAX, 65_536_000), (1_000, 1_000)]
    {
        one.slots.set_rate(0, allowed, 1_000, world.clock);
        world.exchange(&mut one);
        learn(&mut world, &mut other);
        learn(&mut world, &mut declared);
        assert_eq!((pace(&world, &one), pace(&world, &other)), (expected, expected));
        assert_eq!(pace(&world, &declared), expected.min(1_000));
    }
}

#[test]
fn grants_stay_within_the_bound_while_rates_are_cut_and_climb() {
    let (mut world, one, other) = start();
    let mut clients = [one, other, world.short_look_ahead_client()];
    for _ in 0..3_000 {
        let client = &mut clients[world.random(3)];
        match world.random(60) {
            0..6 => {
                let time = world.random(60) as u64;
                world.pass(Duration::from_millis(time));
            }
            6..12 => world.give_back(client),
            12 => world.give_all_back(client),
            13..16 => {
                let charge = client.taken.last().map_or(0, |(charge, _)| *charge);
                let span = [CLIMB, CLIMB / 100][world.random(2)];
                client.slots.cut(world.random(2), span, charge, world.clock);
            }
            16 => client.slots.hold(world.clock + world.random(400_000_000) as u64, world.clock),
            17 => world.send_again(client),
            _ => {}
        }
        for _ in 0..world.random(4) {
            let (requests, tokens) =
                (world.random(3), world.random(400) * if world.random(50) == 0 { 40 } else { 1 });
            client.join([requests as u64, tokens as u64]);
        }
        world.exchange(client);
        client.leave_or_go(&mut world);
    }
    world.check();
}

/// A provider with a bucket of one second, whose limit others use, too: a random 0 to 70 % of it,
/// another part every two seconds.
struct SharedKey {
    left: f64,
    due: f64,
    part: f64,
    refused: [u32; 2],
    admitted: [u32; 2],
}

impl SharedKey {
    /// Lets a millisecond of a thousand requests per second pass.
    fn pass(&mut self, world: &mut World, milli: u64) {
        self.left = (self.left + 1.0).min(1_000.0);
        if milli.is_multiple_of(2_000) {
            self.part = world.random(701) as f64 / 1_000.0;
        }
        self.due += self.part;
        while self.due >= 1.0 {
            self.due -= 1.0;
            self.take(1);
        }
    }

    fn take(&mut self, who: usize) -> bool {
        let is_served = self.left >= 1.0;
        self.left -= f64::from(is_served);
        self.admitted[who] += u32::from(is_served);
        self.refused[who] += u32::from(!is_served);
        is_served
    }
}

#[test]
fn clients_that_are_refused_share_a_limit_with_others() {
    const MILLIS: u64 = 24_000;
    let (mut world, one, other) = start();
    let mut clients = [one, other];
    let mut key = SharedKey { left: 1_000.0, due: 0.0, part: 0.0, refused: [0; 2], admitted: [0; 2] };
    let mut refusals: [VecDeque<(u64, u64)>; 2] = Default::default();
    for milli in 0..MILLIS {
        key.pass(&mut world, milli);
        world.clock = (milli + 1) * 1_000_000;
        let now = world.clock;
        for (client, refusals) in clients.iter_mut().zip(&mut refusals) {
            while refusals.front().is_some_and(|(at, _)| *at <= milli) {
                let (_, charge) = refusals.pop_front().expect("there is one");
                let is_cut = client.slots.cut(0, CLIMB, charge, now);
                let wait = if is_cut { 300_000_000 } else { 1_000_000 };
                if now + wait > client.slots.held_until {
                    client.slots.hold(now + wait, now);
                }
            }
            while client.queue.len() < 60 {
                client.join([1, 0]);
            }
            if client.slots.next_batch(&client.queue, now) <= now {
                world.exchange(client);
                world.clock = now;
            }
            while now >= client.slots.held_until && client.goes_in_time(now) {
                if !key.take(0) {
                    let charge = client.taken.last().expect("it was admitted").0;
                    refusals.push_back((milli + 50, charge));
                }
            }
        }
    }
    let [ours, others] = key.admitted.map(f64::from);
    let [our_refusals, other_refusals] = key.refused.map(f64::from);
    let refused = [our_refusals / (ours + our_refusals), other_refusals / (others + other_refusals)];
    let used = ours / (MILLIS as f64 + 1_000.0 - others);
    assert!(refused[0] <= 0.01 && refused[1] <= 0.03, "{refused:?} are refused");
    assert!(used >= 0.95, "{used} is used");
}
