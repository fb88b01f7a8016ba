//! Callers that are all admitted at once: how fast they are, alone and together, as tasks and as threads.

use std::future::Future;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use openlimit::{Cost, Rate, RateLimiter, Redis};
use openlimit_benches::Line;
use tokio::runtime::{Builder, Runtime};

use crate::server::Server;

const TIME: Duration = Duration::from_secs(1);
const TASKS: [usize; 4] = [1, 16, 64, 256];

pub(crate) fn all() -> Vec<Line> {
    let server = Server::start();
    let mut lines = Vec::new();
    let mut least = Vec::new();
    for tasks in TASKS {
        server.reset();
        let (floor, floor_p50) = floor(&server, tasks);
        server.reset();
        let (ours, p50) = tasks_of_ours(&server, tasks);
        let (scripts, micros) = server.scripts();
        lines.push(Line::remark(format!("{tasks} tasks: decisions a second of an empty script"), floor));
        lines.push(Line::remark(format!("{tasks} tasks: decisions a second of openlimit"), ours));
        lines.push(Line::remark(
            format!("{tasks} tasks: microseconds of the server a decision"),
            micros / (ours * TIME.as_secs_f64()),
        ));
        lines.push(Line::remark(
            format!("{tasks} tasks: scripts a decision"),
            scripts / (ours * TIME.as_secs_f64()),
        ));
        if tasks == 1 {
            least = vec![Line::at_most("1 task: median / that of an empty script", p50 / floor_p50, 1.5)];
        }
        server.reset();
        let threads = threads_of_ours(&server, tasks);
        lines.push(Line::remark(format!("{tasks} threads: decisions a second of openlimit"), threads));
    }
    lines.append(&mut least);
    lines
}

fn limiter(server: &Server) -> RateLimiter {
    RateLimiter::builder()
        .requests(Rate::per_second(10_000_000))
        .tokens(Rate::per_second(1_000_000_000))
        .name("bench")
        .redis(Redis::new(server.url()))
        .build()
        .unwrap()
}

fn tasks_of_ours(server: &Server, tasks: usize) -> (f64, f64) {
    let limiter = limiter(server);
    run(tasks, move || {
        let limiter = limiter.clone();
        async move { drop(limiter.acquire(Cost::new().tokens(10)).await.unwrap()) }
    })
}

fn threads_of_ours(server: &Server, threads: usize) -> f64 {
    let (limiter, calls) = (limiter(server), AtomicU64::new(0));
    drop(limiter.acquire(1).blocking().unwrap());
    let end = Instant::now() + TIME;
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while Instant::now() < end {
                    drop(limiter.acquire(Cost::new().tokens(10)).blocking().unwrap());
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    calls.into_inner() as f64 / TIME.as_secs_f64()
}

/// An empty script, by all callers over one connection.
fn floor(server: &Server, tasks: usize) -> (f64, f64) {
    let sha: String =
        redis::cmd("SCRIPT").arg("LOAD").arg("return 1").query(&mut server.connection()).unwrap();
    let client = server.client();
    let connection = runtime().block_on(client.get_multiplexed_async_connection()).unwrap();
    run(tasks, move || {
        let (mut connection, mut command) = (connection.clone(), redis::cmd("EVALSHA"));
        command.arg(&sha).arg(0);
        async move { command.exec_async(&mut connection).await.unwrap() }
    })
}

/// Calls a second by so many tasks, and the median of a call's microseconds.
fn run<F>(tasks: usize, call: impl Fn() -> F + Clone + Send + 'static) -> (f64, f64)
where
    F: Future<Output = ()> + Send + 'static,
{
    runtime().block_on(async move {
        call().await;
        let end = Instant::now() + TIME;
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                let call = call.clone();
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    while Instant::now() < end {
                        let start = Instant::now();
                        call().await;
                        times.push(start.elapsed().as_secs_f64() * 1e6);
                    }
                    times
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.append(&mut task.await.unwrap());
        }
        times.sort_by(f64::total_cmp);
        (times.len() as f64 / TIME.as_secs_f64(), times[times.len() / 2])
    })
}

/// One for the whole run: connections belong to it.
fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
    &RUNTIME
}
