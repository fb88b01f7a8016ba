//! The lock that guards a limiter's state: parking_lot's, or loom's under its model checker.
//!
//! parking_lot's lock is small enough to share a cache line with the state, and it is not poisoned
//! by a panic. Under loom the same code runs on loom's lock, so that the models try every order in
//! which threads can take it.

#[cfg(not(openlimit_loom))]
pub(crate) use parking_lot::{Mutex, MutexGuard};

#[cfg(openlimit_loom)]
pub(crate) use self::model::{Mutex, MutexGuard};

#[cfg(openlimit_loom)]
mod model {
    pub(crate) use loom::sync::MutexGuard;

    /// Gives loom's mutex the signature of parking_lot's.
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }

        /// The models have no forked processes, so this waits for the lock.
        pub(crate) fn try_lock_for(&self, _: std::time::Duration) -> Option<MutexGuard<'_, T>> {
            Some(self.lock())
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}
