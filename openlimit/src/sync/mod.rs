//! Locking, waking and blocking: the tools for threads that the rest of the crate uses.
//!
//! They have nothing to do with rate limits. Each exists once, so that the rest of the crate does
//! not choose again: which lock to use, how to call wakers, which are foreign code, and how a
//! thread without a runtime runs a future.
//!
//! # Files
//!
//! | file | contains |
//! | --- | --- |
//! | `lock`, `holder` | the lock of a limiter; whose threads can hold it |
//! | `wake`, `later`, `contain` | calls wakers, then what they set off; code that panics |
//! | `block` | runs a future on the current thread |

mod block;
mod contain;
mod holder;
mod later;
mod lock;
mod wake;

pub(crate) use self::block::{block_on, end_waits_here};
pub(crate) use self::contain::contain;
pub(crate) use self::holder::Holder;
pub(crate) use self::later::{Task, in_order, run_later};
pub(crate) use self::lock::{Mutex, MutexGuard};
pub(crate) use self::wake::wake_all;
