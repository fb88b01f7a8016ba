//! Locking, waking and blocking: the tools for threads that the rest of the crate uses.
//!
//! They have nothing to do with rate limits. Each exists once: the choice of a lock, the care that
//! foreign wakers need, and the way in which a thread without a runtime runs a future.

mod block;
mod lock;
mod wake;

pub(crate) use self::block::{block_on, end_waits_here};
pub(crate) use self::lock::{Mutex, MutexGuard};
pub(crate) use self::wake::{contain, wake_all};
