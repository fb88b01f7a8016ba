//! Measures callers that wait, in four limiters that share their limits: the share of the limits
//! that they use, how evenly, and with how many scripts.
//!
//! Each limiter stands for a process: it has its own queue, session and connection.

use std::time::Duration;

use openlimit::{Cost, Rate, RateLimiter, Redis};
use openlimit_benches::Line;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::load::runtime;
use crate::proxy::Proxy;
use crate::server::Server;

const LIMITERS: u64 = 4;
const TASKS: usize = 16;
const RATE: u32 = 100;
const BURST: u32 = 100;
const JITTER: Duration = Duration::from_millis(50);
const TIME: Duration = Duration::from_secs(6);
/// The time after which the burst is used up, and all callers wait equally long.
const STEADY: Duration = Duration::from_secs(2);

pub(crate) fn all() -> Vec<Line> {
    let server = Server::start();
    let proxy = Proxy::to(server.address());
    proxy.delay(Duration::from_millis(5));
    let away = format!("redis://{}", proxy.address());
    [(server.url(), "waiting"), (away, "waiting, 10 ms away")]
        .into_iter()
        .flat_map(|(url, name)| Waiting::measure(&server, &url, name).lines(name))
        .collect()
}

struct Waiting {
    /// The times at which each caller's calls began and were granted, since the start.
    callers: Vec<Vec<[Duration; 2]>>,
    /// The number of scripts that ran after `STEADY`.
    scripts: f64,
}

impl Waiting {
    /// Uses a name of its own, and so its own buckets: limiters give back what they hold some time
    /// after they are dropped.
    fn measure(server: &Server, url: &str, name: &str) -> Self {
        let limiters: Vec<_> = (0..LIMITERS).map(|number| limiter(url, name, number)).collect();
        runtime().block_on(async {
            for limiter in &limiters {
                // Connects.
                limiter.acquire(cost()).await.unwrap().cancel();
            }
            sleep(Duration::from_millis(200)).await;
            let start = Instant::now();
            let callers = limiters.iter().flat_map(|limiter| vec![limiter; TASKS]);
            let callers: Vec<_> = callers.map(|limiter| tokio::spawn(call(limiter.clone(), start))).collect();
            sleep_until(start + STEADY).await;
            let before = server.scripts().runs;
            sleep_until(start + TIME).await;
            let scripts = server.scripts().runs - before;
            let mut calls = Vec::new();
            for caller in callers {
                calls.push(caller.await.unwrap());
            }
            Self { callers: calls, scripts }
        })
    }

    fn lines(&self, what: &str) -> Vec<Line> {
        let granted = self.callers.iter().map(Vec::len).sum::<usize>() as f64;
        let ideal = f64::from(BURST) + f64::from(RATE) * TIME.as_secs_f64();
        let steady = self.callers.iter().flatten().filter(|[_, granted]| *granted >= STEADY).count();
        let waits = self.waits();
        let wait = |percent: usize| waits[(waits.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        vec![
            Line::at_least(format!("{what}: granted / ideal"), granted / ideal, 0.995),
            Line::at_least(format!("{what}: Jain index of the callers"), self.jain(), 0.999),
            Line::remark(format!("{what}: median wait, ms"), wait(50)),
            Line::at_most(format!("{what}: 99th percentile / median of the wait"), wait(99) / wait(50), 1.1),
            Line::at_most(format!("{what}: scripts a decision"), self.scripts / steady as f64, 1.06),
        ]
    }

    /// Returns the waits of the calls that began after `STEADY`, sorted.
    fn waits(&self) -> Vec<Duration> {
        let calls = self.callers.iter().flatten().filter(|[began, _]| *began >= STEADY);
        let mut waits: Vec<_> = calls.map(|[began, granted]| *granted - *began).collect();
        waits.sort_unstable();
        waits
    }

    /// Returns Jain's index of the callers' rates. A rate is taken from a caller's first grant to
    /// its last: in so short a time, the number of grants depends too much on where it ends.
    fn jain(&self) -> f64 {
        let rate = |calls: &Vec<[Duration; 2]>| {
            let grants = calls.iter().map(|[_, granted]| granted.as_secs_f64());
            let grants: Vec<_> = grants.filter(|granted| *granted >= STEADY.as_secs_f64()).collect();
            match grants[..] {
                [first, .., last] => (grants.len() - 1) as f64 / (last - first),
                _ => 0.0,
            }
        };
        let rates: Vec<_> = self.callers.iter().map(rate).collect();
        let (sum, squares) = rates.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
        sum * sum / (rates.len() as f64 * squares)
    }
}

async fn call(limiter: RateLimiter, start: Instant) -> Vec<[Duration; 2]> {
    let mut calls = Vec::new();
    loop {
        let began = start.elapsed();
        let Ok(permit) = timeout_at(start + TIME, limiter.acquire(cost())).await else { return calls };
        drop(permit.unwrap());
        calls.push([began, start.elapsed()]);
    }
}

/// Creates a limiter. Its burst includes what is kept back for jitter. Limiters with the same
/// settings would share a connection, so each has its own timeout.
fn limiter(url: &str, name: &str, number: u64) -> RateLimiter {
    RateLimiter::builder()
        .requests(Rate::per_second(RATE.into()))
        .tokens(Rate::per_second(100_000))
        .burst(Duration::from_secs(1) * BURST / RATE + JITTER)
        .jitter(JITTER)
        .name(name)
        .redis(Redis::new(url).timeout(Duration::from_millis(1_000 + number)))
        .build()
        .unwrap()
}

fn cost() -> Cost {
    Cost::new().tokens(10)
}
