//! Holds, and rates that are slowed down: what was granted before, and what is sent and lost.

use super::client::Tenant;
use super::world::{SLOW, World};
use crate::backend::Buckets;
use crate::limits::Amounts;

const SECOND: u64 = 1_000_000_000;

/// Slows one limit of a client down to so many thousandths.
fn slow(client: &mut Tenant, limit: usize, allowed: u64) {
    let slots = &mut client.slots;
    let since = if slots.in_flight.is_some() { u64::MAX } else { slots.ledger.charges() };
    slots.scales[limit].slow(allowed, 1_000, since);
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
    slow(&mut client, 0, 125);
    client.slots.owe(&Amounts::Few([0, 1, 0]), world.clock);
    world.exchange(&mut client);
    let after: Vec<_> = client.slots.slots.iter().map(|slot| slot.due).collect();
    assert_eq!(before, after);
}
