//! Times cases in turns. Every round runs each case once, so other work on the machine slows all of
//! them down alike. The result of a case is the median of its rounds.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// The number of rounds.
const ROUNDS: usize = 41;
/// The number of calls of a case in a round.
const CALLS: u32 = 20_000;

/// Times a number of calls.
type Timed<'a> = Box<dyn Fn(u32) -> Duration + 'a>;

/// The cases to compare.
#[derive(Default)]
pub(crate) struct Rounds<'a>(Vec<(&'static str, Timed<'a>)>);

impl<'a> Rounds<'a> {
    /// Adds a case of one thread.
    pub(crate) fn one(mut self, name: &'static str, call: impl Fn() + 'a) -> Self {
        self.0.push((name, Box::new(move |calls| time(calls, &call))));
        self
    }

    /// Adds a case of two threads that call at the same time. It takes the time of one thread.
    pub(crate) fn two(mut self, name: &'static str, call: impl Fn() + Sync + 'a) -> Self {
        let timed = move |calls| {
            let barrier = Barrier::new(2);
            let run = || {
                barrier.wait();
                time(calls, &call)
            };
            thread::scope(|scope| {
                let other = scope.spawn(run);
                (run() + other.join().expect("it only counts")) / 2
            })
        };
        self.0.push((name, Box::new(timed)));
        self
    }

    /// Runs all rounds. Returns the median time of a call of each case, in nanoseconds.
    pub(crate) fn run(self, rounds: usize) -> Medians {
        let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for _ in 0..rounds.min(ROUNDS) {
            for (name, timed) in &self.0 {
                let nanos = timed(CALLS).as_nanos() as f64 / f64::from(CALLS);
                times.entry(name).or_default().push(nanos);
            }
        }
        Medians(times.into_iter().map(|(name, times)| (name, median(times))).collect())
    }
}

fn time(calls: u32, call: &impl Fn()) -> Duration {
    let call = black_box(call);
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The median time of a call of each case, in nanoseconds.
pub(crate) struct Medians(BTreeMap<&'static str, f64>);

impl Medians {
    /// Returns the time of a case.
    pub(crate) fn of(&self, name: &str) -> f64 {
        self.0[name]
    }

    /// Returns the ratio of the times of two cases.
    pub(crate) fn ratio(&self, name: &str, against: &str) -> f64 {
        self.of(name) / self.of(against)
    }
}
