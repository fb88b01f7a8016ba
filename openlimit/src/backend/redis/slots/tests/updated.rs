//! Clients that update their limits at about the same time.

use super::world::{BURST, JITTER, SLOW, World};
use crate::backend::redis::shared::shared;
use crate::backend::redis::slots::{Met, Slots};
use crate::backend::{Buckets as _, Starting};
use crate::bucket::Metering;
use crate::limits::{Limit, Rate};
use crate::time::Dates;

/// Calls `act` with a limit of so many requests in a second.
fn with_requests<T>(amount: u64, act: impl FnOnce(&Starting<'_>) -> T) -> T {
    let rates = [Rate::per_second(amount), Rate::per_second(50_000)];
    let limits = [Limit::new("requests", rates[0]), Limit::new("tokens", rates[1])];
    act(&Starting {
        name: None,
        limits: &limits,
        meterings: &rates.map(|rate| Metering::new(rate, BURST, JITTER, (0, 100))),
        dimensions: &[0, 1],
        reserve: None,
        max_hold: 0,
        dates: Dates::From(0),
        on_system_time: true,
    })
}

fn update(slots: &mut Slots, amount: u64, now: u64) {
    with_requests(amount, |limits| slots.change(limits, None, now)).unwrap();
}

#[test]
fn a_client_that_updates_twice_is_not_refused_by_an_update_that_came_between() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client()];
    for client in &mut clients {
        let (_, identity) = with_requests(1_000, |limits| shared(limits, &[0, 1])).unwrap();
        client.slots = std::mem::replace(&mut client.slots, world.client().slots).identified(identity);
    }
    let [one, other] = &mut clients;
    let mut decide = |slots: &Slots, keys: &[String; 2], batch: &[u8]| {
        world.eval_as(&slots.identity().text(), keys, batch).map_err(|error| {
            let text = error.detail().and_then(|detail| detail.strip_prefix("limits ")).unwrap();
            text.split_once(' ').unwrap().1.to_owned()
        })
    };
    update(&mut other.slots, 700, 1);
    let batch = other.slots.collect(&other.queue, false, 1).unwrap();
    decide(&other.slots, &other.keys, &batch).unwrap();
    // Its first update is the same age as that one. It is refused after the second one was made.
    update(&mut one.slots, 400, 1);
    let batch = one.slots.collect(&one.queue, false, 1).unwrap();
    let theirs = decide(&one.slots, &one.keys, &batch).unwrap_err();
    update(&mut one.slots, 500, 2);
    assert!(matches!(one.slots.meet(&theirs), Met::SameAge), "{theirs}");
    let batch = one.slots.collect(&one.queue, false, 2).unwrap();
    decide(&one.slots, &one.keys, &batch).unwrap();
    assert!(one.slots.identity().limits().starts_with("500 "));
}
