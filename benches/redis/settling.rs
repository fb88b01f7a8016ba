//! Measures calls that reserve more than they use, and settle it: the share of the limit that they
//! use in memory, with one client of Redis, and with four.
//!
//! A refund can be used again only as far as it is still in the bucket. In memory that is exact, so
//! the first share of each case is the one that the others are compared with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openlimit::{Rate, RateLimiter, Redis};
use openlimit_benches::Line;
use tokio::time::{Instant, sleep, timeout_at};

use crate::load::runtime;
use crate::server::Server;

/// When counting begins. By then most of the burst is used up.
const WARM: Duration = Duration::from_secs(30);
const TIME: Duration = Duration::from_secs(30);

/// Callers that each hold a call for a while, settle it, and start again.
#[derive(Clone, Copy, Debug)]
struct Case {
    /// The limit, per second.
    rate: u64,
    /// In seconds.
    burst: u64,
    callers: u64,
    reserves: u64,
    /// One part in so many of what it reserves.
    uses: u64,
    /// The time that a call is in flight, in milliseconds.
    takes: u64,
    /// True if the callers reserve from 60 to 135 % of `reserves`.
    varies: bool,
}

const CASES: [Case; 6] = [
    Case { rate: 100_000, burst: 1, callers: 256, reserves: 1_000, uses: 2, takes: 1_000, varies: false },
    Case { rate: 100_000, burst: 10, callers: 256, reserves: 4_000, uses: 10, takes: 1_000, varies: false },
    Case { rate: 10_000, burst: 10, callers: 32, reserves: 4_000, uses: 10, takes: 1_000, varies: false },
    Case { rate: 100_000, burst: 1, callers: 64, reserves: 8_000, uses: 5, takes: 20, varies: true },
    Case { rate: 100_000, burst: 1, callers: 64, reserves: 8_000, uses: 5, takes: 300, varies: true },
    Case { rate: 100_000, burst: 1, callers: 64, reserves: 1_000, uses: 5, takes: 20, varies: true },
];

/// The number of clients of Redis, how they are called, and how many points of the exact share they
/// may miss.
const STORES: [(u64, &str, f64); 3] =
    [(0, "in memory", 0.0), (1, "one client", 0.02), (4, "4 clients", 0.05)];

pub(crate) fn all() -> Vec<Line> {
    let server = Server::start();
    // They all run at once, each with a limit of its own: they mostly sleep.
    let shares = runtime().block_on(async {
        let mut running = Vec::new();
        for case in CASES {
            for (clients, store, _) in STORES {
                running.push(tokio::spawn(case.share(limiters(&server, case, clients, store))));
            }
        }
        let mut shares = Vec::new();
        for share in running {
            shares.push(share.await.unwrap());
        }
        shares
    });
    let mut lines = Vec::new();
    for (case, shares) in CASES.into_iter().zip(shares.chunks(STORES.len())) {
        for ((clients, store, missing), share) in STORES.into_iter().zip(shares) {
            let what = format!("settling, {}, {store}: used / limit", case.name());
            lines.push(match clients {
                0 => Line::remark(what, *share),
                _ => Line::at_least(what, *share, ((shares[0] - missing) * 1_000.0).round() / 1_000.0),
            });
        }
    }
    lines
}

fn limiters(server: &Server, case: Case, clients: u64, store: &str) -> Vec<RateLimiter> {
    let limiter = |client: u64| {
        let rate = Rate::per_second(case.rate).burst(Duration::from_secs(case.burst));
        let builder = RateLimiter::builder().name(format!("{} {store}", case.name())).tokens(rate);
        // Limiters with equal settings share a client, so they differ.
        let timeout = Duration::from_millis(1_000 + client);
        let redis = Redis::new(server.url()).timeout(timeout);
        if clients == 0 { builder.build().unwrap() } else { builder.redis(redis).build().unwrap() }
    };
    (0..clients.max(1)).map(limiter).collect()
}

impl Case {
    fn name(self) -> String {
        let Self { rate, burst, callers, reserves, uses, takes, varies } = self;
        let about = if varies { "about " } else { "" };
        let used = reserves / uses;
        format!("{rate} / s, burst {burst} s, {callers} tasks, {about}{reserves} -> {used}, {takes} ms")
    }

    /// Returns the share of the limit that calls use that are admitted while it counts.
    async fn share(self, limiters: Vec<RateLimiter>) -> f64 {
        let used = Arc::new(AtomicU64::new(0));
        let start = Instant::now();
        let mut callers = Vec::new();
        for caller in 0..self.callers {
            let limiter = limiters[caller as usize % limiters.len()].clone();
            let reserves = if self.varies { self.reserves * (12 + caller % 16) / 20 } else { self.reserves };
            callers.push(tokio::spawn(self.call(limiter, reserves, start, Arc::clone(&used))));
        }
        for caller in callers {
            caller.await.unwrap();
        }
        used.load(Ordering::Relaxed) as f64 / (self.rate as f64 * TIME.as_secs_f64())
    }

    async fn call(self, limiter: RateLimiter, reserves: u64, start: Instant, used: Arc<AtomicU64>) {
        let end = start + WARM + TIME;
        // `timeout_at` polls the call first, so one that does not wait never times out.
        while Instant::now() < end
            && let Ok(permit) = timeout_at(end, limiter.acquire(reserves)).await
        {
            if start.elapsed() >= WARM {
                used.fetch_add(reserves / self.uses, Ordering::Relaxed);
            }
            sleep(Duration::from_millis(self.takes)).await;
            permit.unwrap().settle(reserves / self.uses);
        }
    }
}
