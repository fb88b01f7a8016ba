//! Measures calls that are all admitted without a wait: alone and together, as tasks and as
//! threads.

use openlimit::{Cost, Rate, RateLimiter, Redis};
use openlimit_benches::Line;
use redis::AsyncConnectionConfig;

use crate::load::{Load, runtime};
use crate::peers::{self, Peer};
use crate::server::{PATIENCE, Scripts, Server};

const CALLERS: [usize; 4] = [1, 16, 64, 256];
/// Per second. More than any limiter reaches.
pub(crate) const REQUESTS: u32 = 10_000_000;
pub(crate) const TOKENS: u32 = 1_000_000_000;
/// The tokens of a call, which is one request.
pub(crate) const COST: u64 = 10;

/// Runs this many callers, whose calls are all granted.
pub(crate) type Run = fn(&Server, usize) -> Load;

pub(crate) fn all() -> Vec<Line> {
    let server = Server::start();
    let rounds = CALLERS.map(|callers| Round::run(&server, callers));
    let mut lines: Vec<_> = rounds.iter().flat_map(Round::lines).collect();
    let [one, sixteen, sixty_four, _] = &rounds;
    let median = one.tasks.load.median / one.floor.load.median;
    lines.push(Line::at_most("1 task: median, openlimit / empty script", median, 1.5));
    lines.extend(sixty_four.ratios());
    lines.push(Line::at_most(
        "microseconds of the server a decision, 16 at a time",
        micros_at(1.0 / 16.0, [&sixteen.tasks, &sixty_four.tasks]),
        1.1,
    ));
    lines
}

/// The turns of all limiters with the same number of callers.
struct Round {
    callers: usize,
    floor: Turn,
    tasks: Turn,
    threads: Turn,
    peers: Vec<(Peer, Turn)>,
}

/// The speed of one limiter's callers, and the work of the server for them.
struct Turn {
    run: Run,
    load: Load,
    scripts: Scripts,
}

impl Round {
    /// Gives each limiter three turns, and keeps the fastest: other work on the machine can only
    /// slow a turn down.
    fn run(server: &Server, callers: usize) -> Self {
        let turn = |run| Turn::take(server, callers, run);
        let peers = peers::all().into_iter().map(|peer| (peer, turn(peer.run))).collect();
        let mut round =
            Self { callers, floor: turn(floor), tasks: turn(tasks), threads: turn(threads), peers };
        for _ in 1..3 {
            let peers = round.peers.iter_mut().map(|(_, turn)| turn);
            for fastest in peers.chain([&mut round.floor, &mut round.tasks, &mut round.threads]) {
                let again = turn(fastest.run);
                if again.load.calls > fastest.load.calls {
                    *fastest = again;
                }
            }
        }
        round
    }

    fn lines(&self) -> Vec<Line> {
        let tasks = self.tasks();
        let threads = tasks.replace("task", "thread");
        let decisions = |callers: &str, name, turn: &Turn| {
            Line::remark(format!("{callers}: decisions a second, {name}"), turn.load.a_second())
        };
        let micros = |name, turn: &Turn| {
            let what = format!("{tasks}: microseconds of the server a decision, {name}");
            Line::remark(what, turn.micros_a_decision())
        };
        let mut lines =
            vec![Line::remark(format!("{tasks}: empty scripts a second"), self.floor.load.a_second())];
        lines.extend(self.peers.iter().map(|(peer, turn)| decisions(&tasks, peer.name, turn)));
        lines.push(decisions(&tasks, "openlimit", &self.tasks));
        lines.push(decisions(&threads, "openlimit", &self.threads));
        lines.push(Line::remark(format!("{tasks}: scripts a decision"), self.tasks.scripts_a_decision()));
        lines.extend(self.scripted().map(|(peer, turn)| micros(peer.name, turn)));
        lines.push(micros("openlimit", &self.tasks));
        lines
    }

    /// Returns the ratios to the best of the others, and to the Python library if it is installed.
    fn ratios(&self) -> Vec<Line> {
        let (tasks, ours) = (self.tasks(), self.tasks.load.calls);
        let best = self.peers.iter().map(|(_, turn)| turn.load.calls).fold(f64::NAN, f64::max);
        let least = self.scripted().map(|(_, turn)| turn.micros_a_decision()).fold(f64::NAN, f64::min);
        let mut lines = vec![
            Line::at_least(format!("{tasks}: openlimit / best peer"), ours / best, 15.0),
            Line::remark(
                format!("{tasks}: microseconds of the server a decision, best peer / openlimit"),
                least / self.tasks.micros_a_decision(),
            ),
        ];
        let python = self.peers.iter().filter(|(peer, _)| !peer.scripted);
        lines.extend(python.map(|(peer, turn)| {
            Line::at_least(format!("{tasks}: openlimit / {}", peer.name), ours / turn.load.calls, 1_000.0)
        }));
        lines
    }

    /// Iterates over the limiters that decide in scripts, whose time the server reports.
    fn scripted(&self) -> impl Iterator<Item = &(Peer, Turn)> {
        self.peers.iter().filter(|(peer, _)| peer.scripted)
    }

    fn tasks(&self) -> String {
        if self.callers == 1 { "1 task".into() } else { format!("{} tasks", self.callers) }
    }
}

impl Turn {
    fn take(server: &Server, callers: usize, run: Run) -> Self {
        server.reset();
        Self { run, load: run(server, callers), scripts: server.scripts() }
    }

    fn scripts_a_decision(&self) -> f64 {
        self.scripts.runs / self.load.calls
    }

    fn micros_a_decision(&self) -> f64 {
        self.scripts.micros / self.load.calls
    }
}

/// Returns the server's time for a decision at this number of scripts a decision. It depends
/// linearly on that number, and two turns determine the line.
fn micros_at(scripts: f64, turns: [&Turn; 2]) -> f64 {
    let [(x0, y0), (x1, y1)] = turns.map(|turn| (turn.scripts_a_decision(), turn.micros_a_decision()));
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

fn tasks(server: &Server, callers: usize) -> Load {
    let limiter = limiter(server);
    Load::of_tasks(callers, move || {
        let limiter = limiter.clone();
        async move { drop(limiter.acquire(Cost::new().tokens(COST)).await.unwrap()) }
    })
}

fn threads(server: &Server, callers: usize) -> Load {
    let limiter = limiter(server);
    Load::of_threads(callers, || drop(limiter.acquire(Cost::new().tokens(COST)).blocking().unwrap()))
}

/// Runs an empty script, from all callers over one connection.
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
