//! Calls of several sizes and priorities wait together, so larger calls often overtake others. Over
//! Redis they use nearly what they use in memory, however short the burst is.
//!
//! All clients and the server share one clock, which the loop moves. So every run is the same.

use std::collections::VecDeque;
use std::time::Duration;

use redis::Connection;

use super::closed_loop::{JITTER, MILLISECOND, WAY, backend};
use super::server::RedisServer;
use super::world::{EPOCH, IDENTITY, command, scripted};
use crate::backend::redis::wire::BatchReply;
use crate::backend::tests::below;
use crate::backend::{Backend, Buckets as _};
use crate::bucket::Metering;
use crate::limits::{Amounts, Counting, Priority, Rate};
use crate::queue::{Queue, Urgency, Waiter};

/// The tokens in a second.
const RATE: u64 = 2_000;

const SECOND: u64 = 1_000 * MILLISECOND;

/// How many calls wait.
const CALLERS: usize = 15;

/// A limiter whose calls wait. Without clients its buckets are in memory.
struct Member {
    backend: Backend,
    queue: Queue,
    keys: [String; 2],
    /// The reply on its way: when it arrives, and when its batch was sent.
    reply: Option<(u64, u64, BatchReply)>,
}

/// What was used, and how many batches each client sent.
#[derive(Debug)]
struct Figures {
    share: f64,
    batches: f64,
}

/// Lets calls of these sizes depart for some seconds, each followed by another one at once. Every
/// third one has a low priority.
fn run(connection: &mut Connection, metering: Metering, clients: usize, sizes: [u64; 2]) -> Figures {
    let (script, mut random) = (scripted(connection, &[false], 0), 0x9e37_79b9_7f4a_7c15);
    let name = format!("{{{metering:?} {clients} {sizes:?}}}");
    let mut call = |queue: &mut Queue, now| {
        let amount = sizes[0] + below(&mut random, sizes[1] - sizes[0] + 1);
        let priority = if below(&mut random, 3) == 0 { Priority::Low } else { Priority::Normal };
        queue.join(Waiter::new(Amounts::Few([amount, 0, 0]), now, Urgency::default().of(priority)));
    };
    let mut members: Vec<_> = (0..clients.max(1))
        .map(|id| {
            let mut queue = Queue::new(1);
            (0..CALLERS / clients.max(1)).for_each(|_| call(&mut queue, 0));
            let keys = [name.clone(), format!("{name} {id}")];
            Member { backend: backend(metering, clients), queue, keys, reply: None }
        })
        .collect();
    let (begin, end) = (SECOND, 5 * SECOND);
    let (mut now, mut used, mut batches, mut departed) = (0, 0, 0, VecDeque::new());
    while now < end {
        let mut next = u64::MAX;
        for Member { backend, queue, keys, reply } in &mut members {
            if let Some((_, sent, reply)) = reply.take_if(|(at, ..)| *at <= now)
                && let Backend::Redis(slots) = backend
            {
                assert!(slots.apply(&reply, queue, sent, now).is_empty());
            }
            while let Some((key, head)) = queue.head()
                && let Some(due) = backend.due(head, now)
            {
                if due.at > now {
                    next = next.min(due.at);
                    break;
                }
                let amounts = head.amounts.clone();
                backend.charge(&amounts, now, now);
                queue.leave(key);
                departed.push_back((now, amounts.as_slice()[0]));
                used += if now >= begin { amounts.as_slice()[0] } else { 0 };
                call(queue, now);
            }
            if let Backend::Redis(slots) = backend
                && reply.is_none()
            {
                match slots.collect(queue, false, now) {
                    Ok(batch) => {
                        batches += 1;
                        let command = command(&script, IDENTITY, keys, &batch, EPOCH + (now + WAY) / 1_000);
                        let bytes: Vec<u8> = command.query(connection).expect("redis answers");
                        let read = BatchReply::read(&bytes, &[false]).expect("a reply");
                        *reply = Some((now + 2 * WAY, now, read));
                    }
                    Err(at) => next = next.min(at.unwrap_or(u64::MAX)),
                }
            }
            next = next.min(reply.as_ref().map_or(u64::MAX, |(at, ..)| *at));
        }
        now = next.max(now + 1);
    }
    check(&metering, departed.make_contiguous());
    let seconds = (end - begin) as f64 / SECOND as f64;
    let batches = batches as f64 / (end as f64 / SECOND as f64 * clients.max(1) as f64);
    Figures { share: used as f64 / (RATE as f64 * seconds), batches }
}

/// Asserts the bound. A limit that refills allows the burst and what leaks meanwhile in every
/// window. One that is counted in windows allows the amount in every second.
fn check(metering: &Metering, departed: &[(u64, u64)]) {
    for (first, (from, _)) in departed.iter().enumerate() {
        let mut sum = 0;
        for (at, amount) in &departed[first..] {
            let time = at - from;
            sum += amount;
            let most = match metering.counting {
                Counting::Refilling => RATE * (metering.burst.as_nanos() as u64 + time) / SECOND + 1,
                Counting::InWindows if time < SECOND => RATE,
                Counting::InWindows => break,
            };
            assert!(sum <= most, "{sum} of {most} in {time} ns: {metering:?}");
        }
    }
}

/// Asserts that one client and three use at least `least` of what is used in memory.
#[track_caller]
fn is_used(metering: Metering, sizes: [u64; 2], least: f64) {
    let server = RedisServer::start();
    let mut connection = server.connect();
    let [memory, one, three] = [0, 1, 3].map(|clients| run(&mut connection, metering, clients, sizes));
    println!("{:?}, {sizes:?}: memory {memory:?}, one {one:?}, three {three:?}", metering.burst);
    for of in [&one, &three] {
        assert!(of.batches < 100.0, "{one:?}, {three:?}: {metering:?}");
        assert!(of.share >= least * memory.share, "{one:?}, {three:?}, memory {memory:?}: {metering:?}");
    }
}

fn limit(burst: u64) -> Metering {
    Metering::new(Rate::per_second(RATE), Duration::from_millis(burst), JITTER, (0, 100))
}

#[test]
fn calls_of_mixed_sizes_and_priorities_use_a_limit_with_a_short_burst() {
    // Of the shortest one, calls may fill only half as much again as the largest of them takes.
    for (burst, least) in [(75, 0.9), (100, 0.95), (150, 0.95), (200, 0.95), (1_000, 0.95)] {
        is_used(limit(burst), [0, 33], least);
    }
}

#[test]
fn calls_of_mixed_sizes_and_priorities_use_a_limit_that_is_counted_in_windows() {
    let burst = Duration::from_millis(50);
    is_used(Metering { counting: Counting::InWindows, burst, ..limit(50) }, [0, 33], 0.95);
}

#[test]
fn calls_of_one_size_and_mixed_priorities_use_a_limit_with_a_short_burst() {
    is_used(limit(100), [16, 16], 0.98);
}
