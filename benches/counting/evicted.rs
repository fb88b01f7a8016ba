//! Measures one message at a time, with the processor's caches full of other things.
//!
//! A program counts one message between two calls, and does other work in between. So the tables
//! of a counter, its code and what the processor predicts of it are mostly gone. Here the counters
//! take turns in a random order, on messages that none of them has counted, so that each of them
//! follows another. Before each count a buffer is written, which evicts as much from the caches.
//!
//! It measures elapsed time and takes the median. Reading the processor time of a thread takes a
//! system call, which would evict more.

use std::array;
use std::hint::black_box;
use std::time::Instant;

use openlimit::tokens::Encoding;

use crate::counters::{NAMES, count};
use crate::race::Times;
use crate::texts::{Random, prose};

/// The bytes of a message.
const MESSAGE: usize = 1_000;

/// The caches to evict before each count, and the number of bytes to write for that.
const EVICTED: [(&str, usize); 3] =
    [("nothing", 0), ("2 MB, the L2 cache", 2 << 20), ("32 MB, the L3 cache", 32 << 20)];

/// The number of times that the messages are counted, each time from another byte on.
const ROUNDS: usize = 3;

pub(crate) fn evicted(encoding: Encoding) {
    println!("\n| {encoding}, evicted, us | {} | / tiktoken-rs | / tiktoken | met |", NAMES.join(" | "));
    println!("| --- | {} --- | --- | --- |", "--- | ".repeat(NAMES.len()));
    let text = prose();
    let (seen, unseen) = text.split_at(text.len() / 2);
    for name in NAMES {
        count(name, encoding, seen);
    }
    let (mut random, mut offset) = (Random(4), 0);
    for (what, size) in EVICTED {
        let mut buffer = vec![0_u8; size];
        let mut times: [Vec<f64>; NAMES.len()] = array::from_fn(|_| Vec::new());
        for _ in 0..ROUNDS {
            offset += 7;
            for message in unseen.as_bytes()[offset..].chunks_exact(MESSAGE) {
                let message = str::from_utf8(message).unwrap();
                for counter in shuffled(&mut random) {
                    evict(&mut buffer);
                    let start = Instant::now();
                    black_box(count(NAMES[counter], encoding, message));
                    times[counter].push(start.elapsed().as_nanos() as f64 / 1e3);
                }
            }
        }
        line(what, times.map(median));
    }
}

fn line(what: &str, times: Times) {
    let [ours, tiktoken_rs, _, tiktoken] = times;
    let (ten, three) = (tiktoken_rs / ours, tiktoken / ours);
    let met = if ten >= 10.0 && three >= 3.0 { "yes" } else { "no" };
    let times = times.map(|time| format!("{time:.1}")).join(" | ");
    println!("| {what} | {times} | {ten:.1} (>= 10) | {three:.1} (>= 3) | {met} |");
}

/// Writes the whole buffer, with a new value in each word.
fn evict(buffer: &mut [u8]) {
    for (at, byte) in buffer.iter_mut().enumerate() {
        *byte = byte.wrapping_add(at as u8 | 1);
    }
    black_box(buffer);
}

fn shuffled(random: &mut Random) -> [usize; NAMES.len()] {
    let mut order = array::from_fn(|index| index);
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last + 1));
    }
    order
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
