//! Measures all counters in turns, on the same text, and keeps the fastest pass of each.
//!
//! It measures processor time of the thread. A turn is a few passes in a row, so that only its
//! first pass pays for what the other counters evicted from the processor's caches. The turns
//! alternate, so that other work on the machine disturbs all counters alike.

use cpu_time::ThreadTime;

use crate::counters::NAMES;

/// Nanoseconds of each counter, by its index in `NAMES`.
pub(crate) type Times = [f64; NAMES.len()];

/// Returns the fastest pass of each counter. `run` takes the number of the pass and the counter's
/// name, and returns the time of the pass.
pub(crate) fn race(turns: usize, mut run: impl FnMut(usize, &str) -> f64) -> Times {
    const IN_A_ROW: usize = 4;
    let mut times = [f64::INFINITY; NAMES.len()];
    for turn in 0..turns {
        for (time, name) in times.iter_mut().zip(NAMES) {
            for pass in turn * IN_A_ROW..(turn + 1) * IN_A_ROW {
                *time = time.min(run(pass, name));
            }
        }
    }
    times
}

/// Returns the processor time of `run`, in nanoseconds.
pub(crate) fn time(run: impl FnOnce()) -> f64 {
    let start = ThreadTime::now();
    run();
    start.elapsed().as_nanos() as f64
}

/// Returns the average processor time over a millisecond or two of runs. Reading the clock takes as
/// long as counting a short text.
pub(crate) fn time_each(mut run: impl FnMut()) -> f64 {
    let mut times = 1;
    loop {
        let elapsed = time(|| (0..times).for_each(|_| run()));
        if elapsed > 1e6 {
            return elapsed / f64::from(times);
        }
        times *= 2;
    }
}

pub(crate) fn heading(unit: &str, first: &str) {
    println!("\n| {first}, {unit} | {} | / tiktoken-rs | aim | met |", NAMES.join(" | "));
    println!("| --- | {} --- | --- | --- |", "--- | ".repeat(NAMES.len()));
}

/// Prints a line of megabytes a second.
pub(crate) fn speeds(what: &str, bytes: usize, times: Times, aim: Option<f64>) {
    line(what, times.map(|time| bytes as f64 * 1e3 / time), times, aim);
}

/// Prints a line of microseconds.
pub(crate) fn microseconds(what: &str, times: Times, aim: Option<f64>) {
    line(what, times.map(|time| time / 1e3), times, aim);
}

fn line(what: &str, shown: [f64; NAMES.len()], times: Times, aim: Option<f64>) {
    let shown = shown.map(|value| if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") });
    let ratio = times[1] / times[0];
    let (aim, met) = match aim {
        Some(aim) => (format!(">= {aim}"), if ratio >= aim { "yes" } else { "no" }),
        None => (String::new(), ""),
    };
    println!("| {what} | {} | {ratio:.1} | {aim} | {met} |", shown.join(" | "));
}
