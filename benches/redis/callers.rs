//! Callers that are all admitted at once: how fast they are, alone and together, as tasks and as threads.

use openlimit::{Cost, Rate, RateLimiter, Redis};
use openlimit_benches::Line;
use redis::AsyncConnectionConfig;

use crate::load::{Load, runtime};
use crate::peers;
use crate::server::{PATIENCE, Scripts, Server};

const CALLERS: [usize; 4] = [1, 16, 64, 256];
/// More than anybody reaches.
const REQUESTS: u32 = 10_000_000;
const TOKENS: u32 = 1_000_000_000;

pub(crate) fn all() -> Vec<Line> {
    let server = Server::start();
    let rounds = CALLERS.map(|callers| Round::run(&server, callers));
    let mut lines: Vec<_> = rounds.iter().flat_map(Round::lines).collect();
    let [one, sixteen, sixty_four, _] = &rounds;
    lines.extend([
        Line::at_most("1 task: median, openlimit / empty script", one.tasks.median / one.floor.median, 1.5),
        Line::at_least(
            "64 tasks: openlimit / trypema",
            sixty_four.tasks.calls / sixty_four.trypema.calls,
            15.0,
        ),
        Line::remark(
            "64 tasks: microseconds of the server a decision, trypema / openlimit",
            sixty_four.trypema_scripts.micros / sixty_four.trypema.calls / sixty_four.micros_a_decision(),
        ),
        Line::at_most(
            "microseconds of the server a decision, 16 at a time",
            micros_at(1.0 / 16.0, [sixteen, sixty_four]),
            1.1,
        ),
    ]);
    lines
}

/// Everybody's turn, with so many callers.
struct Round {
    callers: usize,
    floor: Load,
    tasks: Load,
    scripts: Scripts,
    threads: Load,
    trypema: Load,
    trypema_scripts: Scripts,
}

impl Round {
    fn run(server: &Server, callers: usize) -> Self {
        let (floor, _) = fastest(server, || floor(server, callers));
        let (trypema, trypema_scripts) =
            fastest(server, || Load::of_tasks(callers, peers::trypema(server, REQUESTS, TOKENS)));
        let (threads, _) = fastest(server, || {
            let limiter = limiter(server);
            Load::of_threads(callers, || drop(limiter.acquire(cost()).blocking().unwrap()))
        });
        let (tasks, scripts) = fastest(server, || {
            let limiter = limiter(server);
            Load::of_tasks(callers, move || {
                let limiter = limiter.clone();
                async move { drop(limiter.acquire(cost()).await.unwrap()) }
            })
        });
        Self { callers, floor, tasks, scripts, threads, trypema, trypema_scripts }
    }

    fn lines(&self) -> [Line; 6] {
        let tasks = if self.callers == 1 { "1 task" } else { &format!("{} tasks", self.callers) };
        let threads = tasks.replace("task", "thread");
        [
            Line::remark(format!("{tasks}: empty scripts a second"), self.floor.a_second()),
            Line::remark(format!("{tasks}: decisions a second, trypema"), self.trypema.a_second()),
            Line::remark(format!("{tasks}: decisions a second, openlimit"), self.tasks.a_second()),
            Line::remark(format!("{tasks}: scripts a decision"), self.scripts_a_decision()),
            Line::remark(format!("{tasks}: microseconds of the server a decision"), self.micros_a_decision()),
            Line::remark(format!("{threads}: decisions a second, openlimit"), self.threads.a_second()),
        ]
    }

    fn scripts_a_decision(&self) -> f64 {
        self.scripts.runs / self.tasks.calls
    }

    fn micros_a_decision(&self) -> f64 {
        self.scripts.micros / self.tasks.calls
    }
}

/// The fastest of three runs, since whatever else the machine does only slows them down.
fn fastest(server: &Server, run: impl Fn() -> Load) -> (Load, Scripts) {
    let one = || {
        server.reset();
        (run(), server.scripts())
    };
    let runs = [one(), one(), one()];
    runs.into_iter().max_by(|one, other| one.0.calls.total_cmp(&other.0.calls)).unwrap()
}

/// What a decision takes of the server with so many scripts a decision: a script has its price, and so has a decision, and two
/// rounds tell both.
fn micros_at(scripts: f64, rounds: [&Round; 2]) -> f64 {
    let [(x0, y0), (x1, y1)] = rounds.map(|round| (round.scripts_a_decision(), round.micros_a_decision()));
    y0 + (y1 - y0) * (scripts - x0) / (x1 - x0)
}

fn limiter(server: &Server) -> RateLimiter {
    RateLimiter::builder()
        .requests(Rate::per_second(REQUESTS.into()))
        .tokens(Rate::per_second(TOKENS.into()))
        .name("bench")
        .redis(Redis::new(server.url()))
        .build()
        .unwrap()
}

fn cost() -> Cost {
    Cost::new().tokens(10)
}

/// An empty script, by all callers over one connection.
fn floor(server: &Server, callers: usize) -> Load {
    let sha: String =
        redis::cmd("SCRIPT").arg("LOAD").arg("return 1").query(&mut server.connection()).unwrap();
    let (client, config) =
        (server.client(), AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE)));
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    let connection = runtime().block_on(connecting).unwrap();
    Load::of_tasks(callers, move || {
        let (mut connection, mut command) = (connection.clone(), redis::cmd("EVALSHA"));
        command.arg(&sha).arg(0);
        async move { command.exec_async(&mut connection).await.unwrap() }
    })
}
