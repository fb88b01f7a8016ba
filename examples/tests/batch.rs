//! Kills the example `batch`, starts it again, and checks that no row is lost or sent twice. Also
//! with processes that share a limit over Redis.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use openlimit::Rate;
use openlimit::testing::{Provider, ProviderBuilder};
use openlimit_examples::request;
use serde_json::Value;

const ROWS: usize = 400;
const RATE: u64 = 60_000;

struct Batch {
    folder: PathBuf,
    provider: Provider,
}

impl Batch {
    fn new(name: &str, rows: &[String]) -> Self {
        Self::at(provider(), name, rows)
    }

    fn at(provider: Provider, name: &str, rows: &[String]) -> Self {
        let folder = env::temp_dir().join(format!("openlimit-batch-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("requests.jsonl"), rows.join("\n")).unwrap();
        Self { folder, provider }
    }

    fn start(&self, part: &[&str]) -> Child {
        self.command().args(self.files()).args(part).spawn().unwrap()
    }

    fn files(&self) -> [PathBuf; 2] {
        ["requests.jsonl", "answers.jsonl"].map(|file| self.folder.join(file))
    }

    fn command(&self) -> Command {
        // Examples are built beside the folder of this test.
        let example = env::current_exe().unwrap();
        let mut command = Command::new(example.ancestors().nth(2).unwrap().join("examples/batch"));
        command
            .env("OPENAI_API_KEY", "none needed")
            .env("OPENAI_BASE_URL", self.provider.url())
            .env("OPENAI_RPM", RATE.to_string())
            .env("OPENAI_TPM", "100000000")
            .env("RUST_BACKTRACE", "0")
            .env_remove("REDIS_URL")
            .stdout(Stdio::null());
        command
    }

    /// Returns how often each row is in a file.
    fn rows(&self, file: &str) -> BTreeMap<u64, usize> {
        let text = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut rows = BTreeMap::new();
        for line in whole.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            *rows.entry(row["row"].as_u64().unwrap()).or_default() += 1;
        }
        rows
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn builder() -> ProviderBuilder {
    Provider::builder().requests(Rate::per_minute(RATE)).latency(Duration::from_millis(100))
}

fn provider() -> Provider {
    builder().start().unwrap()
}

fn requests(rows: usize) -> Vec<String> {
    (0..rows).map(|number| request(number, "gpt-4o").to_string()).collect()
}

fn cut(file: &Path, bytes: u64) {
    let file = fs::OpenOptions::new().write(true).open(file).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

#[test]
fn a_run_that_is_killed_goes_on_where_it_stopped() {
    let mut batch = Batch::new("killed", &requests(ROWS));
    for kill_at in [1, 150] {
        let mut run = batch.start(&[]);
        let start = Instant::now();
        while batch.rows("answers.jsonl").len() < kill_at {
            assert!(start.elapsed() < Duration::from_secs(60), "no answers");
            sleep(Duration::from_millis(5));
        }
        run.kill().unwrap();
        run.wait().unwrap();
    }
    // As if it had been killed in the middle of a row.
    cut(&batch.folder.join("answers.jsonl"), 7);
    let answered = batch.rows("answers.jsonl").len();
    // Calls of the killed run may still be on their way to the first one.
    batch.provider = provider();
    assert!(batch.start(&[]).wait().unwrap().success());
    assert_eq!(batch.provider.admitted(), ROWS - answered, "no answered row is sent again");
    let rows = batch.rows("answers.jsonl");
    assert_eq!(rows.len(), ROWS, "no row is lost");
    assert!(rows.values().all(|times| *times == 1), "{rows:?}");
    assert!(batch.rows("answers.failed.jsonl").is_empty());
}

#[test]
fn rows_that_cannot_be_answered_are_put_aside() {
    let mut rows = requests(6);
    rows[1] = "{\"model\": ".to_owned();
    rows[2] = "{\"model\": \"gpt-4o\"}".to_owned();
    rows[3] = format!("{{\"model\":\"gpt-4o\",\"max_tokens\":{},\"messages\":[]}}", 200_000_000);
    rows[4] = String::new();
    let batch = Batch::new("failed", &rows);
    assert!(batch.start(&[]).wait().unwrap().success());
    assert_eq!(batch.rows("answers.jsonl").into_keys().collect::<Vec<_>>(), [0, 5]);
    assert_eq!(batch.rows("answers.failed.jsonl").into_keys().collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(batch.provider.admitted(), 2, "they are not sent");
}

#[test]
fn processes_divide_the_rows_and_may_divide_them_again() {
    let batch = Batch::new("divided", &requests(30));
    assert!(batch.start(&["1/3"]).wait().unwrap().success());
    assert_eq!(batch.rows("answers.1-of-3.jsonl").len(), 10);
    let mut others = [batch.start(&["1/2"]), batch.start(&["2/2"])];
    others.iter_mut().for_each(|other| assert!(other.wait().unwrap().success()));
    assert_eq!(batch.provider.admitted(), 30);
}

/// A server of Redis, which listens to a socket in a folder.
struct Redis(Child);

impl Redis {
    fn start(socket: &Path) -> Self {
        let program = env::var("OPENLIMIT_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let mut command = Command::new(program);
        command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(socket).stdout(Stdio::null());
        let server = Self(command.spawn().unwrap());
        let start = Instant::now();
        while UnixStream::connect(socket).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "it does not listen");
            sleep(Duration::from_millis(5));
        }
        server
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn processes_that_share_a_limit_over_redis_lose_no_row_when_one_is_killed_and_started_again() {
    let batch = Batch::new("shared", &requests(200));
    let socket = batch.folder.join("redis.sock");
    let _redis = Redis::start(&socket);
    let start = |part: &str, provider: &Provider| {
        let mut command = batch.command();
        command.env("REDIS_URL", format!("unix://{}", socket.display())).env("OPENAI_RPM", "6000");
        command.env("OPENAI_BASE_URL", provider.url()).args(batch.files()).arg(part).spawn().unwrap()
    };
    let began = Instant::now();
    let [mut killed, mut other] = ["1/2", "2/2"].map(|part| start(part, &batch.provider));
    while batch.rows("answers.1-of-2.jsonl").len() < 20 {
        assert!(began.elapsed() < Duration::from_secs(60), "no answers");
        sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let answered = batch.rows("answers.1-of-2.jsonl").len();
    // Calls of the killed run may still be on their way to the first one.
    let provider = provider();
    assert!(start("1/2", &provider).wait().unwrap().success());
    assert!(other.wait().unwrap().success());
    assert_eq!(provider.admitted(), 100 - answered, "no answered row is sent again");
    let [one, two] = ["1-of-2", "2-of-2"].map(|part| batch.rows(&format!("answers.{part}.jsonl")));
    assert!(one.keys().chain(two.keys()).copied().eq((0..200).step_by(2).chain((1..200).step_by(2))));
    assert!(one.values().chain(two.values()).all(|times| *times == 1), "{one:?} {two:?}");
    // 6000 calls per minute, and those of a second at once.
    assert!(began.elapsed() >= Duration::from_secs(1), "they do not share the limit");
}

#[test]
fn a_used_up_quota_stops_the_run_and_loses_no_row() {
    // Enough for the first rows. The next ones wait when it is used up.
    let provider = builder().quota(20_000, None).start().unwrap();
    let mut batch = Batch::at(provider, "quota", &requests(ROWS));
    let start = Instant::now();
    assert!(!batch.start(&[]).wait().unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(60), "it does not wait for the end of a hold");
    let answered = batch.rows("answers.jsonl").len();
    assert_eq!(answered, batch.provider.admitted(), "each call that was paid for is kept");
    assert!((1..ROWS).contains(&answered), "{answered}");
    assert!(batch.rows("answers.failed.jsonl").is_empty());
    batch.provider = self::provider();
    assert!(batch.start(&[]).wait().unwrap().success());
    assert_eq!(batch.provider.admitted(), ROWS - answered);
    assert_eq!(batch.rows("answers.jsonl").len(), ROWS);
}

#[test]
fn a_wrong_key_stops_the_run_and_fails_no_row() {
    let batch = Batch::at(builder().api_key("another").start().unwrap(), "key", &requests(ROWS));
    assert!(!batch.start(&[]).wait().unwrap().success());
    assert!(batch.rows("answers.jsonl").is_empty());
    assert!(batch.rows("answers.failed.jsonl").is_empty());
}

#[test]
fn the_input_is_never_taken_for_the_output() {
    let batch = Batch::new("same", &requests(3));
    let input = batch.folder.join("requests.jsonl");
    let before = fs::read(&input).unwrap();
    let mut command = batch.command();
    assert!(!command.args([&input, &input]).status().unwrap().success());
    assert_eq!(fs::read(&input).unwrap(), before);
}
