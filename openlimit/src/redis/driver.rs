//! The driver: one thread a process, with a small runtime of its own, that carries the batches of all shared limiters.
//!
//! So it matters to nobody's limit whose runtime ends, and a program without tokio is served too. Each limiter has a session
//! there: it takes what is waiting as one batch, has it decided, and hands in the reply, one batch at a time. While one is under
//! way the next gathers. A session that panics is a bug; those who wait are told of it, and it starts anew.

use std::any::Any;
use std::future::{pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::process;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use once_cell::sync::OnceCell;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle as Runtime};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::limiter::{Collected, Limiter};
use super::client::Client;
use super::flush::Flushes;
use super::settings::Settings;
use super::shared::Shared;
use super::{StoreError, StoreProblem};
use crate::handle::Handle;
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
    left: Mutex<Option<Box<Shared>>>,
    /// Makes the session panic.
    #[cfg(test)]
    fault: std::sync::atomic::AtomicBool,
}

impl Session {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), link: Arc::default(), started: OnceCell::new() }
    }

    /// What calls the driver.
    pub(crate) fn call(&self) -> Arc<Notify> {
        Arc::clone(&self.link.call)
    }

    /// What errors call the server.
    pub(crate) fn server(&self) -> Arc<str> {
        Arc::clone(&self.settings.server)
    }

    /// Starts the session, unless it runs, in the driver's runtime in this process.
    ///
    /// # Errors
    /// The thread could not be started, or is in another process.
    pub(crate) fn start(&self, limiter: &Handle, process: u32) -> Result<&'static Runtime, StoreError> {
        let error = |said: String| self.settings.error(StoreProblem::Driver(said));
        let (started_in, runtime) = runtime(process).map_err(|problem| error(problem.to_string()))?;
        if *started_in != process {
            return Err(error(FORKED.into()));
        }
        self.started.get_or_init(|| {
            let limiter = Limiter::Live(limiter.downgrade());
            runtime.spawn(supervise(limiter, Arc::clone(&self.link), Arc::clone(&self.settings)));
        });
        Ok(runtime)
    }

    /// Has everything told, and waits until that is decided; not longer than `within`.
    ///
    /// # Errors
    /// Why it was not decided: what was wrong last, if anything.
    pub(crate) async fn flush(&self, limiter: &Handle, within: Duration) -> Result<(), StoreError> {
        let runtime = self.start(limiter, process::id())?;
        let decided = self.link.flushes.join();
        self.link.call.notify_one();
        // Timed in the driver's runtime, since the caller may have none. The set ends its task when this is dropped.
        let mut task = JoinSet::new();
        task.spawn_on(async move { timeout(within, decided).await }, runtime);
        match task.join_next().await {
            Some(Ok(Ok(Ok(decided)))) => decided,
            _ => {
                let away = limiter.status().store.and_then(|store| store.error);
                Err(away.unwrap_or_else(|| self.settings.error(StoreProblem::TimedOut(within))))
            }
        }
    }

    /// The limiter is gone: what it still holds is given back.
    pub(crate) fn leave(&self, shared: Box<Shared>) {
        *self.link.left.lock() = Some(shared);
        self.link.call.notify_one();
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

/// Runs the session until its limiter is gone.
async fn supervise(mut limiter: Limiter, link: Arc<Link>, settings: Arc<Settings>) {
    while let Err(panic) = caught(run(&mut limiter, &link, &settings)).await {
        let panicked = format!("it panicked: {}", settings.said(&panic));
        let error = settings.error(StoreProblem::Driver(panicked));
        // With what it left behind this may panic as well.
        let _ = caught(stop(&mut limiter, &error, &link)).await;
        sleep(Retry::MOST).await;
    }
}

/// Runs a future to its end, or to its panic.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let said = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast_ref::<&str>().unwrap_or(&"nobody knows why")).to_owned(),
    };
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(said(panic))),
    })
    .await
}

async fn run(limiter: &mut Limiter, link: &Link, settings: &Arc<Settings>) {
    let mut client = Client::new(Arc::clone(settings));
    while let Some(batch) = next(limiter, link).await {
        let mut retry = Retry::default();
        loop {
            #[cfg(test)]
            assert!(!link.fault.swap(false, std::sync::atomic::Ordering::SeqCst), "a fault");
            let sent = Time::System.now();
            match client.decide(&batch).await {
                Ok(reply) => {
                    limiter.told(&reply, sent, link).await;
                    link.flushes.decided();
                }
                Err(error) if error.is_transient() => {
                    let waiting = limiter.failed(&error, link).await;
                    let waiting = waiting.map(|waiting| waiting || link.flushes.any());
                    if retry.again(waiting, link).await {
                        continue;
                    }
                    limiter.give_up(link).await;
                }
                Err(error) => {
                    stop(limiter, &error, link).await;
                    // Whoever calls again is told again, though not at once again and again.
                    sleep(Retry::LEAST * 10).await;
                }
            }
            break;
        }
    }
}

/// Nothing more will become of the batch under way, nor for now of any other: everyone is told.
async fn stop(limiter: &mut Limiter, error: &StoreError, link: &Link) {
    link.flushes.failed(error);
    limiter.failed(error, link).await;
    limiter.give_up(link).await;
}

/// The next batch, as soon as there is something to carry; `None` when there never will be.
async fn next(limiter: &mut Limiter, link: &Link) -> Option<Vec<u8>> {
    loop {
        let flushing = link.flushes.begin();
        let wait = match limiter.collect(flushing, link).await {
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

mod limiter;
#[cfg(test)]
mod tests;
