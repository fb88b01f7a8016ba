//! Shares one quota between four processes through Redis.
//!
//!     cargo run --release --example redis_shared
//!
//! It uses the Redis at `REDIS_URL`, or starts a `redis-server` if one is installed. It starts
//! itself again as the workers. All of them call one strict provider, in the first process.

use std::env;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::future::join_all;
use openlimit::testing::Provider;
use openlimit::{AcquireError, ChatRateLimiter, Rate, Redis, limiter, rate_limited};
use openlimit_examples::{Api, request};
use reqwest::StatusCode;
use serde_json::Value;

/// The limits of the provider, for all processes together. One second of them may be taken at once.
const REQUESTS: Rate = Rate::per_minute(6_000);
const TOKENS: Rate = Rate::per_minute(3_000_000);

const WORKERS: usize = 4;
const TASKS: usize = 16;
const TIME: Duration = Duration::from_secs(6);

limiter! {
    /// Every process declares the same limits.
    static CHAT: ChatRateLimiter = {
        requests: REQUESTS,
        tokens: TOKENS,
        redis: Redis::from_env("REDIS_URL"),
        name: env::var("LIMITER").unwrap_or_else(|_| "redis-shared-example".to_owned()),
    };
}

#[rate_limited(limiter = CHAT, params = params, timeout = time)]
async fn chat(api: &Api, params: &Value, time: Duration) -> anyhow::Result<StatusCode> {
    Ok(api.chat(params).await?.status())
}

fn main() -> anyhow::Result<()> {
    match env::var("PROVIDER_URL") {
        Ok(provider) => work(provider),
        Err(_) => share(),
    }
}

/// Runs a worker: makes calls for `TIME`, and prints how many were admitted.
#[tokio::main]
async fn work(provider: String) -> anyhow::Result<()> {
    // If Redis does not answer, this fails, and not the first call.
    CHAT.flush(Duration::from_secs(5)).await?;
    let api = Api::new(provider, "none needed".to_owned())?;
    let end = Instant::now() + TIME;
    let tasks = (0..TASKS).map(async |task| {
        let mut granted = 0;
        for number in (task..).step_by(TASKS) {
            let left = end.saturating_duration_since(Instant::now());
            match chat(&api, &request(number, "gpt-4o"), left).await {
                Ok(_) => granted += 1,
                // The time is over, so the reason does not matter.
                Err(error) if error.is::<AcquireError>() && Instant::now() >= end => break,
                Err(error) if matches!(error.downcast_ref(), Some(AcquireError::Timeout { .. })) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(granted)
    });
    let granted = join_all(tasks).await.into_iter().sum::<anyhow::Result<usize>>()?;
    println!("{granted}");
    Ok(())
}

/// Starts the workers, and prints the results.
fn share() -> anyhow::Result<()> {
    let (url, _server) = redis()?;
    let provider = Provider::builder().requests(REQUESTS).tokens(TOKENS).start()?;
    println!("{WORKERS} processes with {TASKS} tasks each, for {} s.", TIME.as_secs());
    println!("The provider allows {} requests and {} tokens a minute.\n", REQUESTS.amount(), TOKENS.amount());

    let workers = (0..WORKERS).map(|_| {
        let mut worker = Command::new(env::current_exe()?);
        worker.env("PROVIDER_URL", provider.url()).env("REDIS_URL", &url);
        // A name of its own, in case other programs use this Redis.
        worker.env("LIMITER", format!("redis-shared-example-{}", std::process::id()));
        Ok(worker.stdout(Stdio::piped()).spawn()?)
    });
    let workers = workers.collect::<anyhow::Result<Vec<Child>>>()?;
    for (number, worker) in workers.into_iter().enumerate() {
        let Output { status, stdout, .. } = worker.wait_with_output()?;
        if !status.success() {
            bail!("worker {number} failed");
        }
        println!("worker {number}: {:>5} calls", String::from_utf8(stdout)?.trim());
    }

    let arrivals = provider.arrivals();
    let first = arrivals.iter().map(|arrival| arrival.at).min().context("no call arrived")?;
    let last = arrivals.iter().map(|arrival| arrival.at).max().unwrap_or(first);
    let full = REQUESTS.amount() as f64 / 60.0;
    let used = provider.admitted() as f64 / (full * ((last - first).as_secs_f64() + 1.0));
    println!("\ntotal:    {:5} calls, {} refused", provider.admitted(), provider.refused());
    println!("share of the limit: {:.1} %", 100.0 * used);
    Ok(())
}

/// Returns the URL of the Redis to use, and the server if one was started.
fn redis() -> anyhow::Result<(String, Option<Server>)> {
    if let Ok(url) = env::var("REDIS_URL") {
        return Ok((url, None));
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let server = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start redis-server: install it, or set REDIS_URL")?;
    let server = Server(server);
    for _ in 0..100 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok((format!("redis://127.0.0.1:{port}"), Some(server)));
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!("redis-server does not answer on port {port} after 5 s")
}

/// Kills the server when it is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
