//! `Driver`: what a backend has outside of the limiter's lock. And `Served`: the limiter as a driver
//! sees it.
//!
//! Memory needs no driver. A store's driver carries batches between the store and the backend's
//! state, which it reaches through the limiter, since the limiter's lock guards it.

#[cfg(feature = "redis")]
use std::process;
use std::sync::Weak;
#[cfg(feature = "redis")]
use std::time::Duration;

use super::Backend;
#[cfg(feature = "redis")]
use super::redis::Session;
use crate::error::StoreError;
use crate::queue::{Key, Queue, Refusal};

/// What a driver's work refuses.
pub(crate) type Refusals = Vec<(Key, Refusal)>;

/// A limiter that a driver works for.
pub(crate) trait Served: Send + Sync {
    /// Runs `work` under the limiter's lock, at the time that it is given.
    ///
    /// Before and after, the limiter admits everyone who is due. It refuses the waiters that `work`
    /// returns.
    #[allow(dead_code, reason = "memory has no driver")]
    fn serve(&self, work: &mut dyn FnMut(&mut Backend, &Queue, u64) -> Refusals);
}

pub(crate) enum Driver {
    /// The backend needs none.
    None,
    #[cfg(feature = "redis")]
    Redis(Session),
}

impl Driver {
    /// Starts the driver for this limiter, unless it runs in this process. Must come before a call
    /// waits.
    ///
    /// # Errors
    /// The driver could not be started, or is in another process.
    pub(crate) fn start(
        &self,
        limiter: impl FnOnce() -> Weak<dyn Served>,
        process: u32,
    ) -> Result<(), StoreError> {
        match self {
            Self::None => {
                let _ = (limiter, process);
                Ok(())
            }
            #[cfg(feature = "redis")]
            Self::Redis(session) => session.start(limiter, process).map(drop),
        }
    }

    /// Returns whether the backend decides elsewhere, so that even a call that does not wait needs
    /// the driver.
    #[inline]
    pub(crate) fn is_needed(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Has the driver look at the backend.
    #[inline]
    pub(crate) fn notify(&self) {
        match self {
            Self::None => {}
            #[cfg(feature = "redis")]
            Self::Redis(session) => session.notify(),
        }
    }

    /// Sends everything that the backend has to tell, and waits until it is decided; not longer than
    /// `within`.
    ///
    /// # Errors
    /// The driver cannot run, or the store did not decide: for the reason that `away` returns, if
    /// there is one.
    #[cfg(feature = "redis")]
    pub(crate) async fn flush(
        &self,
        limiter: impl FnOnce() -> Weak<dyn Served>,
        away: impl Fn() -> Option<StoreError>,
        within: Duration,
    ) -> Result<(), StoreError> {
        let Self::Redis(session) = self else { return Ok(()) };
        let runtime = session.start(limiter, process::id())?;
        session.flush(runtime, away, within).await
    }

    /// Takes over the state of a limiter that is dropped, to give back what it holds.
    pub(crate) fn take_over(&self, backend: impl FnOnce() -> Backend) {
        match self {
            Self::None => _ = backend,
            #[cfg(feature = "redis")]
            Self::Redis(session) => session.take_over(backend()),
        }
    }
}
