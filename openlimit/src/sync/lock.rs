//! The lock around a limiter's state: parking_lot's, or loom's when its model checker runs.

#[cfg(not(openlimit_loom))]
pub(crate) use parking_lot::{Mutex, MutexGuard};

#[cfg(openlimit_loom)]
pub(crate) use self::model::{Mutex, MutexGuard};

#[cfg(openlimit_loom)]
mod model {
    pub(crate) use loom::sync::MutexGuard;

    /// loom's mutex with parking_lot's signature.
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}
