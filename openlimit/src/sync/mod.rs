//! Locking, waking and blocking: what threads share, apart from the limiter's own rules.
//!
//! Wakers are foreign code, and a blocked thread needs no runtime: both are dealt with here, once.

mod block;
mod lock;
mod wake;

pub(crate) use self::block::block_on;
pub(crate) use self::lock::{Mutex, MutexGuard};
pub(crate) use self::wake::wake_all;
