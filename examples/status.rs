//! Shows a limiter at work: live bars for the levels, the queue and the refusals of a mix of calls.
//!
//!     cargo run --example status
//!
//! On a terminal it runs for 20 seconds. Elsewhere it prints three frames and ends.

use std::fmt::Write as _;
use std::io::{IsTerminal, stdout};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openlimit::{AcquireError, Cost, Overflow, Priority, RateLimiter, Status, Usage, limiter};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

limiter! {
    static CHAT: RateLimiter = {
        requests: 600 / minute,
        tokens: 120_000 / minute,
        burst: Duration::from_secs(5),
        concurrency: 24,
        max_waiting: 40,
        overflow: Overflow::DropLowest,
        name: "chat",
    };
}

/// What became of the calls.
static ANSWERED: AtomicU64 = AtomicU64::new(0);
static LATE: AtomicU64 = AtomicU64::new(0);
static CROWDED: AtomicU64 = AtomicU64::new(0);

/// The width of a bar. With it, a line fits into 80 columns.
const WIDTH: usize = 28;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    started();
    let is_terminal = stdout().is_terminal();
    let (frames, pause) = if is_terminal { (200, 100) } else { (3, 700) };
    let mut program = JoinSet::new();
    // People who wait, jobs that do not mind, and a batch that comes all at once.
    program.spawn(calls(Priority::High, 120, 900, Duration::from_secs(2)));
    program.spawn(calls(Priority::Normal, 250, 1_500, Duration::from_secs(6)));
    program.spawn(calls(Priority::Low, 60, 400, Duration::from_secs(30)));

    for number in 0..frames {
        sleep(Duration::from_millis(pause)).await;
        let frame = frame(&CHAT.status()?);
        if is_terminal && number > 0 {
            // It takes the place of the one before: up by its lines and the one between them.
            print!("\x1b[{}A\x1b[J", frame.lines().count() + 1);
        }
        println!("{frame}");
    }
    // The same without bars, for people and for machines.
    println!("{:#}\n", CHAT.status()?);
    println!("{}", serde_json::to_string(&CHAT.status()?)?);
    Ok(())
}

/// Makes a call every so many milliseconds.
async fn calls(priority: Priority, every: u64, tokens: u64, timeout: Duration) {
    let mut calls = JoinSet::new();
    let mut ticks = interval(Duration::from_millis(every));
    for number in 0.. {
        ticks.tick().await;
        calls.spawn(call(priority, tokens + number % 7 * 50, timeout));
        while calls.try_join_next().is_some() {}
    }
}

/// Makes one call, which takes a while and uses a part of what it has reserved.
async fn call(priority: Priority, tokens: u64, timeout: Duration) {
    let acquire = CHAT.acquire(Cost::new().tokens(tokens)).priority(priority).timeout(timeout);
    let counter = match acquire.await {
        Ok(permit) => {
            sleep(Duration::from_millis(400 + tokens % 300)).await;
            permit.settle(Usage::new(tokens / 3, tokens / 3));
            &ANSWERED
        }
        Err(AcquireError::QueueFull { .. }) => &CROWDED,
        Err(_) => &LATE,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Draws a status.
fn frame(status: &Status) -> String {
    let mut frame = format!("{} at {:.1?}\n", status.limiter, started().elapsed());
    for limit in &status.limits {
        // The burst of five seconds is a twelfth of a minute.
        let burst = limit.limit.rate().amount() / 12;
        let text = format!("{} of {burst}, debt {}", limit.available.min(burst), limit.debt);
        line(&mut frame, &limit.limit.to_string(), limit.available, burst, '█', &text);
    }
    if let Some(flights) = &status.in_flight {
        let (calls, most) = (flights.calls.into(), flights.most.into());
        line(&mut frame, "in flight", calls, most, '▒', &format!("{calls} of {most}"));
    }
    let queue = &status.by_priority;
    for (name, calls) in [("high", queue.high), ("normal", queue.normal), ("low", queue.low)] {
        line(&mut frame, &format!("waiting, {name}"), calls as u64, 40, '░', &calls.to_string());
    }
    let longest = status.longest_wait.unwrap_or_default();
    let _ = writeln!(frame, "  {:<22} {longest:.1?}", "longest wait");
    let [answered, late, crowded] = [&ANSWERED, &LATE, &CROWDED].map(|count| count.load(Ordering::Relaxed));
    let refused = format!("{late} late, {crowded} no place");
    line(&mut frame, "refused", late + crowded, answered + late + crowded, '▓', &refused);
    frame
}

/// Draws one line: a name, a bar, and its numbers.
fn line(frame: &mut String, name: &str, part: u64, whole: u64, mark: char, text: &str) {
    let filled = usize::try_from(part.min(whole) * WIDTH as u64 / whole.max(1)).unwrap_or(WIDTH);
    let bar: String = (0..WIDTH).map(|place| if place < filled { mark } else { '·' }).collect();
    let _ = writeln!(frame, "  {name:<22} {bar}  {text}");
}

/// Returns when the program began.
fn started() -> Instant {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    *STARTED.get_or_init(Instant::now)
}
