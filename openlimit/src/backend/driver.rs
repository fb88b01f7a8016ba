//! `Driver`: the part of a backend outside of the limiter's lock.
//!
//! Memory needs no driver. The driver of a store carries batches between the store and the state of
//! the backend. The limiter's lock guards that state, so the driver reaches it through [`Served`].

#[cfg(feature = "redis")]
use std::process;
use std::sync::Weak;
use std::time::Duration;

use super::dispatch::Backend;
#[cfg(feature = "redis")]
use super::redis::Session;
use super::served::Served;
use crate::error::StoreError;

/// The driver of one backend.
pub(crate) enum Driver {
    /// The backend needs no driver.
    None,
    #[cfg(feature = "redis")]
    Redis(Box<Session>),
}

impl Driver {
    /// Starts the driver for this limiter, unless it runs already. Must be called before a call
    /// waits.
    ///
    /// # Errors
    /// Returns an error if the driver could not be started, or runs in the process that this one
    /// was forked from.
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

    /// Returns true if a store decides, so that even a call that may not wait needs the driver.
    #[inline]
    pub(crate) fn is_needed(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Wakes the driver, to look at the backend.
    #[inline]
    pub(crate) fn notify(&self) {
        match self {
            Self::None => {}
            #[cfg(feature = "redis")]
            Self::Redis(session) => session.notify(),
        }
    }

    /// Sends every pending refund and debt of the backend, and waits up to `within` until the store
    /// has decided them.
    ///
    /// # Errors
    /// Returns an error if the driver cannot run or the store did not decide. `away` returns the
    /// error of the current outage, if any.
    pub(crate) async fn flush(
        &self,
        limiter: impl FnOnce() -> Weak<dyn Served>,
        away: impl Fn() -> Option<StoreError>,
        within: Duration,
    ) -> Result<(), StoreError> {
        match self {
            Self::None => {
                let _ = (limiter, away, within);
                Ok(())
            }
            #[cfg(feature = "redis")]
            Self::Redis(session) => {
                let runtime = session.start(limiter, process::id())?;
                session.flush(runtime, away, within).await
            }
        }
    }

    /// Takes over the state of a dropped limiter, to give back what it holds.
    pub(crate) fn take_over(&self, backend: impl FnOnce() -> Backend) {
        match self {
            Self::None => _ = backend,
            #[cfg(feature = "redis")]
            Self::Redis(session) => session.take_over(backend()),
        }
    }
}
