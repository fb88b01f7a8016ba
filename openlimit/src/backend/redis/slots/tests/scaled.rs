//! Limits that are updated while a batch is in flight that the server then does not decide.

use std::time::Duration;

use super::world::{SLOW, metering};
use crate::backend::redis::ledger::{Ledger, ServerClock};
use crate::backend::redis::scale::Scale;
use crate::backend::redis::wire::Writer;

const CLOCK: ServerClock = ServerClock { seen_at: 0, trip: 0 };

/// A ledger of one limit with something of all that a batch takes along.
fn full() -> Ledger {
    let mut ledger = Ledger::new(1);
    ledger.owe(0, 1_001);
    ledger.raise(0, 50_001, 0);
    ledger.took(0, (7_001, 3_001), 0, 1);
    ledger.refund(0, 999, 5, true);
    ledger
}

/// Writes the next batch, and returns its bytes.
fn write(ledger: &mut Ledger) -> Vec<u8> {
    let mut batch = Writer::default();
    let scale = Scale::new(&metering(SLOW[0]), Duration::ZERO);
    ledger.write(&[scale], 0, &[], (0, CLOCK), &mut batch);
    batch.finish()
}

#[test]
fn what_is_in_flight_is_scaled_as_if_it_still_waited_for_a_batch() {
    for part in [(3, 1), (1, 3), (7, 2)] {
        for end in [Ledger::give_up, Ledger::take_back] {
            let (mut waits, mut flies) = (full(), full());
            waits.scale(0, part);
            write(&mut waits);
            write(&mut flies);
            flies.scale(0, part);
            assert_eq!((flies.level(0), flies.raised(0, 9)), (waits.level(0), waits.raised(0, 9)));
            [&mut waits, &mut flies].into_iter().for_each(end);
            assert_eq!((flies.level(0), flies.raised(0, 9)), (waits.level(0), waits.raised(0, 9)));
            assert_eq!(write(&mut flies), write(&mut waits));
        }
    }
}
