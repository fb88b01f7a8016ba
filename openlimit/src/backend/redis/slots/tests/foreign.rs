//! Values under the keys that the script did not write, and replies that it did not.

use super::client::Tenant;
use super::resets;
use super::world::{IDENTITY, SLOW, World};
use crate::backend::Buckets as _;
use crate::backend::redis::bounds::Bounds;
use crate::backend::redis::wire::BatchReply;
use crate::limits::Amounts;

/// A client whose state has far calls and refunds in it, and another one with a batch to send.
fn used(mut world: World) -> (World, Tenant, Vec<u8>) {
    let (mut one, mut other) = (world.short_look_ahead_client(), world.client());
    for tokens in [2_000, 3_000, 4_000] {
        world.call(&mut one, [5, tokens]);
    }
    one.give_back(&Amounts::Few([1, 100, 0]), one.taken[1].0, world.clock);
    one.join([5, 9_000]);
    world.exchange(&mut one);
    other.join([1, 1]);
    let batch = other.slots.collect(&other.queue, false, world.clock).unwrap();
    (world, other, batch)
}

fn set(world: &mut World, key: &str, value: &[u8]) {
    redis::cmd("SET").arg(key).arg(value).exec(&mut world.connection).unwrap();
}

/// Returns what the script says of a batch, and asserts that it changes no value.
fn refusal(world: &mut World, keys: &[String; 2], batch: &[u8]) -> Option<String> {
    let mut values = || keys.each_ref().map(|key| world.get(key));
    let before = values();
    let error = world.eval_as(IDENTITY, keys, batch).err()?;
    let mut values = || keys.each_ref().map(|key| world.get(key));
    assert_eq!(values(), before);
    assert_eq!(error.code(), Some("OPENLIMIT"), "{error}");
    Some(error.detail().unwrap_or_default().trim().to_owned())
}

#[test]
fn a_number_that_is_none_anywhere_in_a_state_is_an_error_and_changes_nothing() {
    for world in [World::start(SLOW), resets::start()] {
        let (mut world, other, batch) = used(world);
        let state = world.get(&other.keys[0]);
        let numbers = IDENTITY.len()..state.len();
        assert!(numbers.len() > 8 * 2 * (8 + 14), "{} bytes", numbers.len());
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for at in numbers.clone().step_by(8) {
                let mut state = state.clone();
                state[at..at + 8].copy_from_slice(&number.to_le_bytes());
                set(&mut world, &other.keys[0], &state);
                let said = refusal(&mut world, &other.keys, &batch);
                assert_eq!(said.as_deref(), Some("layout"), "{number} at {at}");
            }
        }
        // Nor is a part of a state one.
        for length in IDENTITY.len()..state.len() {
            set(&mut world, &other.keys[0], &state[..length]);
            assert_eq!(refusal(&mut world, &other.keys, &batch).as_deref(), Some("layout"), "{length}");
        }
        set(&mut world, &other.keys[0], &state);
        assert!(world.eval_as(IDENTITY, &other.keys, &batch).is_ok());
    }
}

#[test]
fn what_is_no_reply_under_the_key_of_a_client_is_an_error_and_changes_nothing() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    for _ in 0..5 {
        world.call(&mut client, [1, 1]);
    }
    client.join([1, 1]);
    let batch = client.slots.collect(&client.queue, false, world.clock).unwrap();
    let [state, replies] = client.keys.clone();
    let reply = world.get(&replies);
    let with = |number: f64| [&number.to_le_bytes(), &reply[8..]].concat();
    // The batch is the sixth.
    let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 0.5, 2.5, 7.0, 1e300];
    let texts = [&b""[..], b"a", b"a text", &[b'a'; 72], &[b'1'; 300], &[0; 300], &[0xff; 300], &reply[..71]];
    for value in texts.map(<[u8]>::to_vec).into_iter().chain(numbers.map(with)) {
        set(&mut world, &replies, &value);
        assert_eq!(refusal(&mut world, &client.keys, &batch).as_deref(), Some("reply"), "{value:?}");
    }
    for (key, said) in [(&replies, "reply type"), (&state, "")] {
        redis::cmd("DEL").arg(&replies).exec(&mut world.connection).unwrap();
        redis::cmd("DEL").arg(key).exec(&mut world.connection).unwrap();
        redis::cmd("LPUSH").arg(key).arg("a").exec(&mut world.connection).unwrap();
        let error = world.eval_as(IDENTITY, &client.keys, &batch).unwrap_err();
        let expected = if said.is_empty() { "WRONGTYPE" } else { "OPENLIMIT" };
        assert_eq!(error.code(), Some(expected), "{error}");
        assert!(error.detail().unwrap_or_default().starts_with(said), "{error}");
    }
}

/// Returns a copy of a reply in which one number is another one that can be read.
fn altered(reply: &[u8], at: usize, number: f64) -> Option<BatchReply> {
    let mut reply = reply.to_vec();
    reply[at..at + 8].copy_from_slice(&number.to_le_bytes());
    let reply = BatchReply::read(&reply, &[false, false])?;
    Bounds::new(400_000_000, 0).check(&reply).is_ok().then_some(reply)
}

#[test]
fn no_number_in_a_reply_stops_the_driver() {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    let mut world = World::start(SLOW);
    for number in [0.0, 1.0, LARGEST / 2.0, LARGEST] {
        // The numbers before the decisions, and the wait of the first one.
        for at in (0..8 * (9 + 2 * 6 + 1)).step_by(8) {
            world.lose_the_state(&[]);
            let mut client = world.client();
            world.call(&mut client, [1, 0]);
            client.give_back(&Amounts::Few([1, 0, 0]), client.taken[0].0, world.clock);
            client.slots.cap_bucket(0, 10, world.clock);
            [[170, 0], [1, 100], [1, 1]].into_iter().for_each(|amounts| _ = client.join(amounts));
            let batch = client.slots.collect(&client.queue, false, world.clock).unwrap();
            world.run(&mut client, &batch);
            let Some(reply) = altered(&client.reply, at, number) else { continue };
            client.slots.apply(&reply, &client.queue, world.clock, world.clock + 1_000_000);
            // Then the server is honest again.
            for _ in 0..3 {
                client.looks_at_head(world.clock);
                (0..2).for_each(|bucket| _ = client.slots.look_at(bucket, world.clock));
                client.slots.owe(&Amounts::Few([1, 1, 0]), world.clock);
                world.clock += 1_000_000_000;
                if let Ok(batch) = client.slots.collect(&client.queue, true, world.clock) {
                    let reply = world.run(&mut client, &batch);
                    client.slots.apply(&reply, &client.queue, world.clock, world.clock + 1_000_000);
                }
            }
        }
    }
}
