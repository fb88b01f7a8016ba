//! Measures calls that reserve five times what they use, and settle it: the share of the limit that
//! they use in memory, with one client of Redis, and with four.
//!
//! A refund can be used again only as far as it is still in the bucket. A client knows only a lower
//! bound of that for the other clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openlimit::{Rate, RateLimiter, Redis};
use openlimit_benches::Line;
use tokio::time::{Instant, sleep, timeout_at};

use crate::load::runtime;
use crate::server::Server;

const CALLERS: u32 = 64;
const RATE: u32 = 100_000;
const TIME: Duration = Duration::from_secs(8);
/// The ratio of what a call reserves to what it uses.
const RESERVED: u64 = 5;

pub(crate) fn all() -> Vec<Line> {
    let server = Server::start();
    let mut lines = Vec::new();
    // The milliseconds that a call takes, and the percentage of the burst that it reserves on
    // average.
    for (takes, percent) in [(20, 8), (300, 8), (20, 1)] {
        for clients in [0, 1, 4] {
            let store = match clients {
                0 => "in memory".to_owned(),
                1 => "one client".to_owned(),
                clients => format!("{clients} clients"),
            };
            let what = format!("settling, {takes} ms, {percent} % of the burst, {store}: used / limit");
            let used = used(&server, &what, clients, Duration::from_millis(takes), percent);
            lines.push(Line::remark(what, used));
        }
    }
    lines
}

/// Returns the share of the limit that is used, including the burst.
fn used(server: &Server, name: &str, clients: u32, takes: Duration, percent: u64) -> f64 {
    let limiter = |client: u32| {
        let builder = RateLimiter::builder().name(name).tokens(Rate::per_second(RATE.into()));
        let redis =
            Redis::new(server.url()).timeout(Duration::from_secs(1) + Duration::from_millis(1) * client);
        if clients == 0 { builder.build().unwrap() } else { builder.redis(redis).build().unwrap() }
    };
    let limiters: Vec<_> = (0..clients.max(1)).map(limiter).collect();
    let used = Arc::new(AtomicU64::new(0));
    runtime().block_on(async {
        let end = Instant::now() + TIME;
        let callers = (0..CALLERS).map(|caller| {
            let limiter = limiters[(caller % clients.max(1)) as usize].clone();
            // From 60 to 135 % of it.
            let reserves = u64::from(RATE) * percent / 100 * u64::from(12 + caller % 16) / 20;
            tokio::spawn(call(limiter, reserves, takes, end, Arc::clone(&used)))
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    });
    used.load(Ordering::Relaxed) as f64 / (f64::from(RATE) * (TIME.as_secs_f64() + 1.0))
}

async fn call(limiter: RateLimiter, reserves: u64, takes: Duration, end: Instant, used: Arc<AtomicU64>) {
    // `timeout_at` polls the call first, so one that does not wait never times out.
    while Instant::now() < end
        && let Ok(permit) = timeout_at(end, limiter.acquire(reserves)).await
    {
        sleep(takes).await;
        used.fetch_add(reserves / RESERVED, Ordering::Relaxed);
        permit.unwrap().settle(reserves / RESERVED);
    }
}
