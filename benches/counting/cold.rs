//! Measures the first count of a process and its memory, then and after text of every kind. Runs
//! this program again as a new process for each counter.

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use openlimit::tokens::Encoding;

use crate::counters::{ENCODINGS, NAMES, count};
use crate::texts::kinds;

const COUNTER: &str = "OPENLIMIT_BENCH_COUNTER";
const ENCODING: &str = "OPENLIMIT_BENCH_ENCODING";

pub(crate) fn start(encoding: Encoding) {
    println!("\n| {encoding}, first count | ms | resident KB | after varied text | aim | met |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for name in NAMES {
        let mut best = [f64::INFINITY; 3];
        for _ in 0..7 {
            let output = Command::new(std::env::current_exe().unwrap())
                .env(COUNTER, name)
                .env(ENCODING, encoding.name())
                .output()
                .unwrap();
            let output = String::from_utf8(output.stdout).unwrap();
            for (best, found) in best.iter_mut().zip(output.split_whitespace()) {
                *best = best.min(found.parse().unwrap());
            }
        }
        let [time, first, varied] = best;
        let (aim, met) = match name {
            "openlimit" => ("<= 5 ms", if time <= 5.0 { "yes" } else { "no" }),
            _ => ("", ""),
        };
        println!("| {name} | {time:.2} | {first} | {varied} | {aim} | {met} |");
    }
}

pub(crate) fn is_child() -> bool {
    std::env::var_os(COUNTER).is_some()
}

pub(crate) fn child() {
    let (name, encoding) = (std::env::var(COUNTER).unwrap(), std::env::var(ENCODING).unwrap());
    let encoding = ENCODINGS.into_iter().find(|other| other.name() == encoding).unwrap();
    let before = resident();
    let start = Instant::now();
    black_box(count(&name, encoding, "Hello, world! Incomprehensibilities"));
    let elapsed = start.elapsed();
    let first = resident() - before;
    let texts = kinds();
    let before = resident() - first;
    for (_, text) in &texts {
        black_box(count(&name, encoding, text));
    }
    println!("{} {first} {}", elapsed.as_nanos() as f64 / 1e6, resident() - before);
}

/// Returns the resident memory in KB, or 0 if the system does not report it.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
