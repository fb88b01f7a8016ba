//! The driver: one thread per process that carries the batches of all shared limiters.
//!
//! The thread has a runtime of its own. So limiters outlive the runtimes of the program, and
//! programs without tokio can use them. Each limiter has a session there, which repeats three
//! steps: take everything that waits as one batch, have it decided, apply the reply. One batch is
//! in flight at a time.
//!
//! A batch without a reply is sent again, unchanged, until there is a reply or it is known that it
//! was not decided. A session that panics fails the waiting calls and restarts; a panic is a bug.
//!
//! A process that is forked without `exec` does not inherit the thread. [`Session::start`] then
//! returns an error.
//!
//! * `session` is the limiter's end of a session, which starts the thread. `link` is where both
//!   ends meet, and `flushes` are the callers that wait for a batch there.
//! * `carry` is the other end: the three steps. `owner` is the limiter that it works for, or what a
//!   dropped one left. `retry` spaces the attempts.

mod carry;
mod flushes;
mod link;
mod owner;
mod retry;
mod session;
#[cfg(test)]
mod tests;

pub(crate) use self::session::Session;
