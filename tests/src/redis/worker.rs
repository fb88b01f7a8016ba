//! Other processes of a test: the test program, started again.
//!
//! A test file has one ignored test that does nothing unless it is started as a worker:
//!
//! ```text
//! #[test]
//! #[ignore = "the body of the workers"]
//! fn worker() {
//!     let Some(job) = worker::job() else { return };
//!     worker::say(job.parse::<u64>(0) + 1);
//! }
//!
//! assert_eq!(Worker::start("worker", &["7"]).line(), "8");
//! ```

use std::fmt::Display;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// The variable that contains a worker's arguments.
const ARGUMENTS: &str = "OPENLIMIT_TEST_WORKER";

/// Separates the arguments. No argument contains it.
const SEPARATOR: char = '\u{1f}';

/// The start of each line that a worker sends. The test runner prints lines too, and may print
/// right before one.
const MARK: &str = "worker says: ";

/// The time to wait for a worker's next line.
const PATIENCE: Duration = Duration::from_secs(60);

/// The arguments of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job(Vec<String>);

/// Returns the arguments in a worker, and `None` in the test itself. From then on, the worker ends
/// when the test ends.
#[must_use]
pub fn job() -> Option<Job> {
    let arguments = std::env::var(ARGUMENTS).ok()?;
    die_with_parent();
    Some(Job(arguments.split(SEPARATOR).map(str::to_owned).collect()))
}

/// Sends a line from a worker to the test.
///
/// # Panics
/// If the test has ended.
pub fn say(line: impl Display) {
    let mut out = std::io::stdout().lock();
    // One write, and not through the test runner, which captures `println!`.
    out.write_all(format!("\n{MARK}{line}\n").as_bytes())
        .and_then(|()| out.flush())
        .expect("the test reads its output");
}

/// Ends a worker whose test was killed: its standard input ends with the test.
fn die_with_parent() {
    thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    });
}

impl Job {
    /// Returns the argument at `index`.
    ///
    /// # Panics
    /// If there are fewer arguments.
    #[must_use]
    #[track_caller]
    pub fn arg(&self, index: usize) -> &str {
        &self.0[index]
    }

    /// Returns the argument at `index`, parsed.
    ///
    /// # Panics
    /// If it cannot be parsed.
    #[must_use]
    #[track_caller]
    pub fn parse<T: std::str::FromStr>(&self, index: usize) -> T {
        let text = self.arg(index);
        text.parse().unwrap_or_else(|_| panic!("cannot parse argument {index} of the worker: {text:?}"))
    }
}

/// A process that runs one test of this program. It is killed when it is dropped, and when the test
/// is killed.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    lines: Receiver<String>,
    // Kept open for `die_with_parent`.
    _alive: Option<ChildStdin>,
}

impl Worker {
    /// Starts this program to run the ignored test with the full name `test`, with these arguments.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(test: &str, arguments: &[&str]) -> Self {
        Self::start_with(test, arguments, |command| command)
    }

    /// Starts it with a changed command, for example with more environment variables.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start_with(
        test: &str,
        arguments: &[&str],
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("the test binary has a path"));
        command
            .args(["--ignored", "--exact", "--nocapture", "--test-threads=1", test])
            .env(ARGUMENTS, arguments.join(&SEPARATOR.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = change(&mut command).spawn().expect("the test binary can be started again");
        let out = child.stdout.take().expect("it is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            for line in lines.filter_map(|line| line.strip_prefix(MARK).map(str::to_owned)) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let alive = child.stdin.take();
        Self { child, lines, _alive: alive }
    }

    /// Returns the id of the process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the next line that it sends.
    ///
    /// # Panics
    /// If it ends without one, or sends none for a minute.
    #[must_use]
    #[track_caller]
    pub fn line(&self) -> String {
        self.next().expect("the worker ended without a further line")
    }

    /// Returns all further lines, until it ends or is killed.
    ///
    /// # Panics
    /// If it sends nothing for a minute.
    #[must_use]
    #[track_caller]
    pub fn lines(&self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Kills it, like a crash. Lines that it has sent can still be read.
    pub fn kill_9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Reads all further lines, waits until it ends, and returns them.
    ///
    /// # Panics
    /// If it failed.
    #[must_use]
    #[track_caller]
    pub fn finish(mut self) -> Vec<String> {
        let lines = self.lines();
        let status = self.child.wait().expect("a child can be waited for");
        assert!(status.success(), "the worker failed: {status}");
        lines
    }

    #[track_caller]
    fn next(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the worker sent nothing for {PATIENCE:?}"),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill_9();
    }
}
