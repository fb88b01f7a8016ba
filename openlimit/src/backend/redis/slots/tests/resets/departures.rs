//! Departures: what the provider sees of calls that clients make, give back and wait for. Batches
//! take their time, so clients learn of a reset, and of what others gave back, a little late.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use super::super::closed_loop::{JITTER, backend};
use super::super::member::Member;
use super::super::server::RedisServer;
use super::super::world::{EPOCH, scripted};
use super::SECOND;
use crate::admission::{Admission, Policy};
use crate::backend::tests::below;
use crate::bucket::Metering;
use crate::limits::{Amounts, Rate};
use crate::queue::{Queue, Urgency, Waiter};

const WINDOW: u64 = 10 * SECOND;
const AMOUNT: u64 = 200;
const WINDOWS: u64 = 6;

/// Returns the window of a time, and how long it has lasted by then.
fn window(now: u64) -> (u64, u64) {
    let date = EPOCH * 1_000 + now;
    (date / WINDOW - EPOCH * 1_000 / WINDOW, date % WINDOW)
}

#[test]
fn what_departs_in_each_window_and_is_not_cancelled_there_is_the_amount() {
    let server = RedisServer::start();
    let mut connection = server.connect();
    let script = scripted(&mut connection, &[true], 0);
    let rate = Rate::new(AMOUNT, Duration::from_nanos(WINDOW)).resets_at("00:00", "UTC");
    let metering = Metering::new(rate, rate.period(), JITTER, (0, 100));
    let mut members: Vec<_> = (0..3)
        .map(|id| {
            let policy = Policy { grace: JITTER.as_nanos() as u64 / 2, ..Policy::default() };
            let admission = Admission::new(backend(metering, 3), Queue::new(1), Arc::new(policy));
            Member::new(admission, "resets", id)
        })
        .collect();
    let (mut now, mut state) = (1, 0x9e37_79b9_7f4a_7c15);
    // What happens next: the end of a call of a member, or with `None` the arrival of one.
    let mut events = BinaryHeap::from([0, 1, 2].map(|id| Reverse((now, id, None))));
    let mut departed = vec![0; WINDOWS as usize + 1];
    while window(now).0 < WINDOWS {
        let mut next = u64::MAX;
        for (id, member) in members.iter_mut().enumerate() {
            let (admitted, at) = member.serve(&script, &mut connection, now);
            next = next.min(at);
            for grant in admitted {
                let (number, passed) = window(now);
                assert!(passed < WINDOW - JITTER.as_nanos() as u64, "a call departs after {passed} ns");
                departed[number as usize] += grant.amounts.as_slice()[0];
                let ends = now + below(&mut state, SECOND);
                events.push(Reverse((ends, id, Some((number, grant.charge, grant.amounts.as_slice()[0])))));
            }
        }
        match events.peek().copied() {
            Some(Reverse((at, id, event))) if at <= now => {
                events.pop();
                let member = &mut members[id];
                if let Some((number, charge, amount)) = event {
                    // Late calls are not cancelled, since nobody could use what they give back.
                    let is_cancelled = below(&mut state, 3) == 0 && window(now).1 < WINDOW / 2;
                    if is_cancelled {
                        let amounts = Amounts::Few([amount, 0, 0]);
                        member.admission().give_back(&[0], &amounts, charge, now);
                        if number == window(now).0 {
                            departed[number as usize] -= amount;
                        }
                    }
                } else {
                    if member.waiting() < 50 {
                        let amounts = Amounts::Few([1, 0, 0]);
                        member.join(Waiter::new(amounts, now, Urgency::default()));
                    }
                    events.push(Reverse((now + below(&mut state, 60_000_000), id, None)));
                }
            }
            event => {
                let at = event.map_or(u64::MAX, |Reverse((at, ..))| at);
                now = next.min(at).max(now + 1);
            }
        }
    }
    departed.pop();
    assert!(departed[1..].iter().all(|departed| *departed == AMOUNT), "{departed:?}");
}
