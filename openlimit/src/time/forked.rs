//! `FORKED`: the reason why a thread of this library does not run in a forked process.
//!
//! The timer thread and the driver of a store use the same words.

/// The reason why a thread of this library does not run in this process.
pub(crate) const FORKED: &str =
    "it is in the process that this one was forked from; fork before the first call";
