//! `Session`: the limiter's end of its session with the driver.
//!
//! The first session of a process starts the driver's thread, so a program without shared limits
//! has none.

use std::future::pending;
use std::io;
use std::process;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use once_cell::sync::OnceCell;
use tokio::runtime::{Builder, Handle as Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::carry::supervise;
use super::link::Link;
use super::owner::Owner;
use crate::backend::redis::client::Client;
use crate::backend::redis::settings::Settings;
use crate::backend::{Backend, Served};
use crate::error::{StoreError, StoreProblem};
use crate::sync::end_waits_here;
use crate::time::FORKED;

/// The driver's runtime, and the process that its thread runs in.
static RUNTIME: OnceCell<(u32, Runtime)> = OnceCell::new();

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
    ///
    /// In a forked child there is none, and a lock of its runtime may be held there for ever.
    pub(crate) fn notify(&self) {
        if RUNTIME.get().is_none_or(|(started_in, _)| *started_in == process::id()) {
            self.link.wake.notify_one();
        }
    }

    /// Returns the server, as errors name it.
    pub(in crate::backend::redis) fn server(&self) -> Arc<str> {
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
            let (limiter, settings) = (limiter(), Arc::clone(&self.settings));
            let owner = Owner::Live(Weak::clone(&limiter));
            let client = move || Client::new(Arc::clone(&settings), Weak::clone(&limiter));
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
            self.notify();
        }
    }
}

/// Returns the driver's runtime, and the process that its thread runs in. Starts them at the first
/// call.
fn runtime(process: u32) -> io::Result<&'static (u32, Runtime)> {
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
