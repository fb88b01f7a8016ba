//! The driver: one thread a process, with a small runtime of its own, that carries the batches of all
//! shared limiters.
//!
//! So it does not matter to a limit when a user's runtime ends, and programs without tokio are served
//! too. Each limiter has a session there. A session takes what is waiting as one batch, has it
//! decided, and applies the reply, one batch at a time. While one is in flight the next gathers. A
//! session that panics is a bug. It fails the calls that wait, and restarts.

mod flushes;
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
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle as Runtime};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::flushes::Flushes;
use self::owner::{Collected, Owner};
use super::Slots;
use super::client::Client;
use super::settings::Settings;
use super::wire::BatchReply;
use crate::backend::{Backend, Served};
use crate::error::{StoreError, StoreProblem};
use crate::time::{FORKED, Time};

/// What a limiter has of its session.
pub(crate) struct Session {
    settings: Arc<Settings>,
    link: Arc<Link>,
    started: OnceCell<()>,
}

/// Where the two meet.
#[derive(Default)]
struct Link {
    /// There is something to carry.
    call: Arc<Notify>,
    flushes: Flushes,
    /// What the limiter left when it was dropped.
    left: Mutex<Option<Box<Slots>>>,
}

impl Session {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), link: Arc::default(), started: OnceCell::new() }
    }

    /// Has the driver look at the limiter.
    pub(crate) fn notify(&self) {
        self.link.call.notify_one();
    }

    /// Returns what errors call the server.
    pub(super) fn server(&self) -> Arc<str> {
        Arc::clone(&self.settings.server)
    }

    /// Starts the session, unless it runs, in the driver's runtime in this process.
    ///
    /// # Errors
    /// The thread could not be started, or is in another process.
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

    /// Sends everything, and waits until it is decided; not longer than `within`.
    ///
    /// # Errors
    /// The reason why it was not decided: what `away` returns, or that it took too long.
    pub(crate) async fn flush(
        &self,
        runtime: &Runtime,
        away: impl Fn() -> Option<StoreError>,
        within: Duration,
    ) -> Result<(), StoreError> {
        let decided = self.link.flushes.join();
        self.link.call.notify_one();
        // Timed in the driver's runtime, since the caller may have none. The set ends its task when it
        // is dropped.
        let mut task = JoinSet::new();
        task.spawn_on(async move { timeout(within, decided).await }, runtime);
        match task.join_next().await {
            Some(Ok(Ok(Ok(decided)))) => decided,
            _ => Err(away().unwrap_or_else(|| self.settings.error(StoreProblem::TimedOut(within)))),
        }
    }

    /// Gives back what a dropped limiter still holds.
    pub(crate) fn take_over(&self, backend: Backend) {
        if let Backend::Redis(slots) = backend {
            *self.link.left.lock() = Some(slots);
            self.link.call.notify_one();
        }
    }
}

/// The driver's, and the process that its thread is in.
fn runtime(process: u32) -> io::Result<&'static (u32, Runtime)> {
    static RUNTIME: OnceCell<(u32, Runtime)> = OnceCell::new();
    RUNTIME.get_or_try_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let run = move || runtime.block_on(pending::<()>());
        thread::Builder::new().name("openlimit-redis".into()).spawn(run)?;
        Ok((process, handle))
    })
}

/// What decides the batches of a session.
trait Decider {
    /// Decides a batch. A batch that failed may have been decided all the same: then the same bytes
    /// have the same reply.
    fn decide(&mut self, batch: &[u8]) -> impl Future<Output = Result<BatchReply, StoreError>> + Send;
}

impl Decider for Client {
    fn decide(&mut self, batch: &[u8]) -> impl Future<Output = Result<BatchReply, StoreError>> + Send {
        Self::decide(self, batch)
    }
}

/// Runs the session until its limiter is gone.
async fn supervise<D: Decider>(
    mut owner: Owner,
    link: Arc<Link>,
    settings: Arc<Settings>,
    decider: impl Fn() -> D,
) {
    while let Err(panic) = caught(run(&mut owner, &link, decider())).await {
        let panicked = format!("it panicked: {}", settings.said(&panic));
        let error = settings.error(StoreProblem::Driver(panicked));
        // It may panic again over what it left behind.
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

async fn run(owner: &mut Owner, link: &Link, mut decider: impl Decider) {
    while let Some(batch) = next(owner, link).await {
        let mut retry = Retry::default();
        loop {
            let sent = Time::System.now();
            match decider.decide(&batch).await {
                Ok(reply) => {
                    owner.apply(&reply, sent, link).await;
                    link.flushes.decided();
                }
                Err(error) if error.is_transient() => {
                    let waiting = owner.failed(&error, link).await;
                    let waiting = waiting.map(|waiting| waiting || link.flushes.any());
                    if retry.again(waiting, link).await {
                        continue;
                    }
                    owner.give_up(link).await;
                }
                Err(error) => {
                    stop(owner, &error, link).await;
                    // Pause so that repeated callers do not retry in a tight loop.
                    sleep(Retry::LEAST * 10).await;
                }
            }
            break;
        }
    }
}

/// Nothing more will become of the batch under way, nor for now of any other: everyone is told.
async fn stop(owner: &mut Owner, error: &StoreError, link: &Link) {
    link.flushes.failed(error);
    owner.failed(error, link).await;
    owner.give_up(link).await;
}

/// The next batch, as soon as there is something to carry; `None` when there never will be.
async fn next(owner: &mut Owner, link: &Link) -> Option<Vec<u8>> {
    loop {
        let flushing = link.flushes.begin();
        let wait = match owner.collect(flushing, link).await {
            Collected::Batch(batch) => return Some(batch),
            Collected::Nothing(wait) => wait,
            Collected::Gone => return None,
        };
        match wait {
            Some(wait) => _ = timeout(wait, link.call.notified()).await,
            None => link.call.notified().await,
        }
    }
}

/// How long to wait before the same batch is sent again: shorter while somebody waits for it.
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
    const LEAST: Duration = Duration::from_millis(5);
    const MOST: Duration = Duration::from_millis(500);
    const IDLE: Duration = Duration::from_secs(15);
    /// For what a dropped limiter left.
    const LAST: u32 = 10;

    /// Whether to try again. `None` waits when the limiter is gone.
    async fn again(&mut self, waiting: Option<bool>, link: &Link) -> bool {
        self.tries += 1;
        let most = match waiting {
            None if self.tries > Self::LAST => return false,
            Some(false) => Self::IDLE,
            _ => Self::MOST,
        };
        let wait = self.wait.min(most);
        self.wait = (self.wait * 2).min(Self::IDLE);
        if waiting == Some(false) {
            // Somebody may come.
            let _ = timeout(wait, link.call.notified()).await;
        } else {
            sleep(wait).await;
        }
        true
    }
}
