//! A race in turns: everyone counts the same text, again and again, and the fastest pass of each counts.
//!
//! It is processor time of the thread. Everyone takes a few passes in a row, so that the first has fetched into the
//! processor's caches what the others had pushed out; and the turns alternate, so that what else runs on the machine
//! disturbs everyone alike, and most passes of nobody.

use cpu_time::ThreadTime;

use crate::counters::NAMES;

/// Nanoseconds of each, by their place in `NAMES`.
pub(crate) type Times = [f64; NAMES.len()];

/// The fastest of all passes. `run` is told the pass and who is on, and says how long it took.
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

/// Nanoseconds of processor time that this takes.
pub(crate) fn time(run: impl FnOnce()) -> f64 {
    let start = ThreadTime::now();
    run();
    start.elapsed().as_nanos() as f64
}

/// The same, on the average of as many times as fill a millisecond or two: to read the clock costs as much as a short
/// text.
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

/// A line of megabytes a second.
pub(crate) fn speeds(what: &str, bytes: usize, times: Times, aim: Option<f64>) {
    line(what, times.map(|time| bytes as f64 * 1e3 / time), times, aim);
}

/// A line of microseconds.
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
