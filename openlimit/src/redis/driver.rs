//! The driver: one thread a process, with a small runtime of its own, that carries the batches of all shared limiters.
//!
//! So it matters to nobody's limit whose runtime ends, and a program without tokio is served too. Each limiter has a session
//! there: it takes what is waiting as one batch, has it decided, and hands in the reply, one batch at a time. While one is under
//! way the next gathers.

use std::future::pending;
use std::io;
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use once_cell::sync::OnceCell;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle as Runtime};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::client::Client;
use super::settings::Settings;
use super::shared::Shared;
use super::wire::Reply;
use super::{StoreError, StoreProblem};
use crate::handle::{Handle, WeakHandle};
use crate::queue::Queue;
use crate::time::Time;

/// What a limiter has of its session.
pub(crate) struct Session {
    settings: Arc<Settings>,
    link: Arc<Link>,
    /// In which process.
    started: OnceCell<u32>,
}

/// Where the two meet.
#[derive(Default)]
struct Link {
    /// There is something to carry.
    call: Arc<Notify>,
    /// What the limiter left when it was dropped.
    left: Mutex<Option<Box<Shared>>>,
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

    /// Starts the session, unless it runs.
    ///
    /// # Errors
    /// The thread could not be started, or is in another process.
    pub(crate) fn start(&self, limiter: &Handle) -> Result<(), StoreError> {
        let start = || {
            let (process, runtime) =
                runtime().map_err(|error| self.settings.error(StoreProblem::Driver(error.to_string())))?;
            let limiter = Limiter::Live(limiter.downgrade());
            runtime.spawn(run(limiter, Arc::clone(&self.link), Arc::clone(&self.settings)));
            Ok(*process)
        };
        if *self.started.get_or_try_init(start)? == process::id() {
            return Ok(());
        }
        let forked = "it is in the process that this one was forked from; fork before the first call";
        Err(self.settings.error(StoreProblem::Driver(forked.into())))
    }

    /// The limiter is gone: what it still holds is given back.
    pub(crate) fn leave(&self, shared: Box<Shared>) {
        *self.link.left.lock() = Some(shared);
        self.link.call.notify_one();
    }
}

/// The driver's, and the process that its thread is in.
fn runtime() -> io::Result<&'static (u32, Runtime)> {
    static RUNTIME: OnceCell<(u32, Runtime)> = OnceCell::new();
    RUNTIME.get_or_try_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let run = move || runtime.block_on(pending::<()>());
        thread::Builder::new().name("openlimit-redis".into()).spawn(run)?;
        Ok((process::id(), handle))
    })
}

async fn run(mut limiter: Limiter, link: Arc<Link>, settings: Arc<Settings>) {
    let mut client = Client::new(settings);
    while let Some(batch) = next(&mut limiter, &link).await {
        let mut retry = Retry::default();
        loop {
            let sent = Time::System.now();
            match client.decide(&batch).await {
                Ok(reply) => limiter.told(&reply, sent, &link),
                Err(error) => {
                    let transient = error.is_transient();
                    let waiting = limiter.failed(&error, &link);
                    if transient && retry.again(waiting, &link).await {
                        continue;
                    }
                    limiter.give_up(&link);
                    // Whoever calls again is told again, though not at once again and again.
                    sleep(Retry::LEAST * 10).await;
                }
            }
            break;
        }
    }
}

/// The next batch, as soon as there is something to carry; `None` when there never will be.
async fn next(limiter: &mut Limiter, link: &Link) -> Option<Vec<u8>> {
    loop {
        let wait = match limiter.collect(link) {
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

enum Collected {
    Batch(Vec<u8>),
    /// Not before that time, unless called.
    Nothing(Option<Duration>),
    Gone,
}

/// Whose session it is.
enum Limiter {
    Live(WeakHandle),
    /// It was dropped: nobody waits any more.
    Left(Box<Shared>),
    Gone,
}

impl Limiter {
    fn collect(&mut self, link: &Link) -> Collected {
        if let Some(handle) = self.handle(link) {
            return match handle.collect() {
                Ok(batch) => Collected::Batch(batch),
                Err(wait) => Collected::Nothing(wait),
            };
        }
        let shared = match self {
            Self::Left(shared) => shared,
            // It is about to say what it leaves.
            Self::Live(_) => return Collected::Nothing(None),
            Self::Gone => return Collected::Gone,
        };
        let now = Time::System.now();
        shared.hurry(now);
        match shared.collect(&Queue::new(0), now) {
            Some(batch) => Collected::Batch(batch),
            None => Collected::Gone,
        }
    }

    fn told(&mut self, reply: &Reply, sent: u64, link: &Link) {
        if let Some(handle) = self.handle(link) {
            handle.told(reply, sent);
        } else if let Self::Left(shared) = self {
            shared.told(reply, sent, Time::System.now());
        }
    }

    /// Says whether somebody waits, of a limiter that is there.
    fn failed(&mut self, error: &StoreError, link: &Link) -> Option<bool> {
        self.handle(link).map(|handle| handle.failed(error))
    }

    fn give_up(&mut self, link: &Link) {
        match self.handle(link) {
            Some(handle) => handle.give_up(),
            None => *self = Self::Gone,
        }
    }

    /// The limiter, if it is there. Else what it left is here from now on.
    fn handle(&mut self, link: &Link) -> Option<Handle> {
        let Self::Live(weak) = self else { return None };
        if let Some(handle) = weak.upgrade() {
            return Some(handle);
        }
        if let Some(shared) = link.left.lock().take() {
            *self = Self::Left(shared);
        }
        None
    }
}
