//! The driver: one thread per process that carries the batches of all shared limiters.
//!
//! The thread has a runtime of its own. So limiters outlive the runtimes of the program, and
//! programs without tokio can use them. Each limiter has a session there, which repeats three
//! steps: take everything that waits as one batch, have it decided, apply the reply. One batch is
//! in flight at a time.
//!
//! A batch without a reply is sent again, unchanged, until there is a reply or the problem turns
//! out to be permanent. [`Retry`] spaces the attempts. A session that panics fails the waiting
//! calls and restarts; a panic is a bug.
//!
//! A process that is forked without `exec` does not inherit the thread. [`Session::start`] then
//! returns an error.

mod flushes;
mod link;
mod owner;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::future::{pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use once_cell::sync::OnceCell;
use tokio::runtime::{Builder, Handle as Runtime};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::link::Link;
use self::owner::{Collected, Owner};
use super::client::{Batch, Client};
use super::settings::Settings;
use super::wire::BatchReply;
use crate::backend::{Backend, Served};
use crate::error::{StoreError, StoreProblem};
use crate::sync::end_waits_here;
use crate::time::{FORKED, Time};

/// The limiter's end of a session.
pub(crate) struct Session {
    settings: Arc<Settings>,
    link: Arc<Link>,
    /// Set once the session runs.
    started: OnceCell<()>,
}

impl Session {
    /// Creates a session that does not run yet.
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), link: Arc::default(), started: OnceCell::new() }
    }

    /// Wakes the session, to look at the limiter.
    pub(crate) fn notify(&self) {
        self.link.wake.notify_one();
    }

    /// Returns the server, as errors name it.
    pub(super) fn server(&self) -> Arc<str> {
        Arc::clone(&self.settings.server)
    }

    /// Starts the session, unless it runs already. Returns the runtime of the driver.
    ///
    /// # Errors
    /// Returns an error if the thread could not be started, or runs in the process that this one
    /// was forked from.
    pub(crate) fn start(
        &self,
        limiter: impl FnOnce() -> Weak<dyn Served>,
        process: u32,
    ) -> Result<&'static Runtime, StoreError> {
        let error = |reason: String| self.settings.error(StoreProblem::Driver(reason));
        let (started_in, runtime) = runtime(process).map_err(|problem| error(problem.to_string()))?;
        if *started_in != process {
            return Err(error(FORKED.into()));
        }
        self.started.get_or_init(|| {
            let owner = Owner::Live(limiter());
            let settings = Arc::clone(&self.settings);
            let client = move || Client::new(Arc::clone(&settings));
            runtime.spawn(supervise(owner, Arc::clone(&self.link), Arc::clone(&self.settings), client));
        });
        Ok(runtime)
    }

    /// Sends everything that is pending, and waits up to `within` until it is decided.
    ///
    /// # Errors
    /// Returns the error of the current outage, from `away`, or that the server did not reply in
    /// time.
    pub(crate) async fn flush(
        &self,
        runtime: &Runtime,
        away: impl Fn() -> Option<StoreError>,
        within: Duration,
    ) -> Result<(), StoreError> {
        let decided = self.link.flushes.join();
        self.link.wake.notify_one();
        // The timeout needs a runtime, and the caller may have none. Dropping the set aborts the
        // task.
        let mut task = JoinSet::new();
        task.spawn_on(async move { timeout(within, decided).await }, runtime);
        match task.join_next().await {
            Some(Ok(Ok(Ok(decided)))) => decided,
            _ => Err(away().unwrap_or_else(|| self.settings.error(StoreProblem::TimedOut(within)))),
        }
    }

    /// Takes over the state of a dropped limiter, to give back what it holds.
    pub(crate) fn take_over(&self, backend: Backend) {
        if let Backend::Redis(slots) = backend {
            *self.link.left.lock() = Some(slots);
            self.link.wake.notify_one();
        }
    }
}

/// Returns the driver's runtime, and the process that its thread runs in. Starts them at the first
/// call.
fn runtime(process: u32) -> io::Result<&'static (u32, Runtime)> {
    static RUNTIME: OnceCell<(u32, Runtime)> = OnceCell::new();
    RUNTIME.get_or_try_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let run = move || {
            end_waits_here();
            runtime.block_on(pending::<()>());
        };
        thread::Builder::new().name("openlimit-redis".into()).spawn(run)?;
        Ok((process, handle))
    })
}

/// Decides the batches of a session. Tests replace it.
trait Decider {
    /// Decides a batch. After an error it may have been decided all the same. The same bytes then
    /// have the same reply.
    fn decide(&mut self, batch: &Batch) -> impl Future<Output = Result<BatchReply, StoreError>> + Send;

    /// Returns true if the last batch was certainly not decided.
    fn is_undecided(&self) -> bool {
        false
    }

    /// Returns the limits of the state, if the last batch was refused because they are others.
    fn other_limits(&mut self) -> Option<String> {
        None
    }
}

impl Decider for Client {
    fn decide(&mut self, batch: &Batch) -> impl Future<Output = Result<BatchReply, StoreError>> + Send {
        Self::decide(self, batch)
    }

    fn is_undecided(&self) -> bool {
        Self::is_undecided(self)
    }

    fn other_limits(&mut self) -> Option<String> {
        Self::other_limits(self)
    }
}

/// Runs a session until its limiter is gone. Restarts it after a panic.
async fn supervise<D: Decider>(
    mut owner: Owner,
    link: Arc<Link>,
    settings: Arc<Settings>,
    decider: impl Fn() -> D,
) {
    while let Err(panic) = caught(run(&mut owner, &link, decider())).await {
        let panicked = format!("it panicked: {}", settings.cleaned(&panic));
        let error = settings.error(StoreProblem::Driver(panicked));
        // The state may be inconsistent after a panic, and this panic again.
        let _ = caught(stop(&mut owner, &error, &link)).await;
        sleep(Retry::MOST).await;
    }
}

/// Runs a future to its end, or to its panic.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let text = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast_ref::<&str>().unwrap_or(&"for an unknown reason")).to_owned(),
    };
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(text(panic))),
    })
    .await
}

/// Carries batches until the limiter is gone.
async fn run(owner: &mut Owner, link: &Link, mut decider: impl Decider) {
    while let Some(batch) = next(owner, link).await {
        let mut retry = Retry::default();
        let mut is_undecided = true;
        loop {
            let sent = Time::System.now();
            // In a box, so that a session that waits takes little memory: there may be one for each
            // of many keys.
            let decided = Box::pin(decider.decide(&batch)).await;
            is_undecided &= decider.is_undecided();
            match decided {
                Ok(reply) => {
                    owner.apply(&reply, sent, link).await;
                    link.flushes.decided();
                }
                Err(error) if error.is_transient() => {
                    let waiting = owner.failed(&error, link).await;
                    let waiting = waiting.map(|waiting| waiting || link.flushes.any());
                    if retry.pause(waiting, link).await {
                        continue;
                    }
                    owner.give_up(link).await;
                }
                Err(error) => {
                    let theirs = decider.other_limits();
                    if let Some(theirs) = theirs
                        && owner.take_over(&theirs, link).await
                    {
                        // Two processes that update again and again must not make this one spin.
                        sleep(Retry::LEAST).await;
                        break;
                    }
                    if is_undecided {
                        owner.take_back(link).await;
                    }
                    stop(owner, &error, link).await;
                    sleep(Retry::AFTER_REFUSAL).await;
                }
            }
            break;
        }
    }
}

/// Gives up the batch in flight, if there is one still, and fails every call and flush that waits.
async fn stop(owner: &mut Owner, error: &StoreError, link: &Link) {
    link.flushes.failed(error);
    owner.failed(error, link).await;
    owner.give_up(link).await;
}

/// Waits until there is something to send, and returns the batch. `None` once the limiter is gone.
async fn next(owner: &mut Owner, link: &Link) -> Option<Batch> {
    loop {
        let flushing = link.flushes.begin();
        let wait = match owner.collect(flushing, link).await {
            Collected::Batch(batch) => return Some(batch),
            Collected::Nothing(wait) => wait,
            Collected::Gone => return None,
        };
        match wait {
            Some(wait) => _ = timeout(wait, link.wake.notified()).await,
            None => link.wake.notified().await,
        }
    }
}

/// The pauses before a batch is sent again. They double from [`LEAST`](Self::LEAST) on.
struct Retry {
    wait: Duration,
    tries: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { wait: Self::LEAST, tries: 0 }
    }
}

impl Retry {
    /// The first pause. A broken connection is replaced within milliseconds, so calls barely
    /// notice.
    const LEAST: Duration = Duration::from_millis(5);

    /// The longest pause while a call waits: how late it may notice that the server is back. Two
    /// attempts a second are no load. Also the pause before a session that panicked restarts.
    const MOST: Duration = Duration::from_millis(500);

    /// The longest pause while no call waits, and only refunds and debts are pending. A call that
    /// arrives ends it.
    const IDLE: Duration = Duration::from_secs(15);

    /// The most pauses for the state of a dropped limiter: two seconds in all (5 + 10 + .. + 320 +
    /// 3 * 500 ms). What is not given back then leaks by itself.
    const LAST: u32 = 10;

    /// The pause after an error that has to be fixed, so that callers who retry at once do not make
    /// the driver do so, too.
    const AFTER_REFUSAL: Duration = Duration::from_millis(50);

    /// Pauses before the next attempt. Returns false if there should be none.
    ///
    /// `waiting` is true if a call waits for the batch, and `None` once the limiter was dropped.
    async fn pause(&mut self, waiting: Option<bool>, link: &Link) -> bool {
        self.tries += 1;
        let most = match waiting {
            None if self.tries > Self::LAST => return false,
            Some(false) => Self::IDLE,
            _ => Self::MOST,
        };
        let wait = self.wait.min(most);
        self.wait = (self.wait * 2).min(Self::IDLE);
        if waiting == Some(false) {
            let _ = timeout(wait, link.wake.notified()).await;
        } else {
            sleep(wait).await;
        }
        true
    }
}
