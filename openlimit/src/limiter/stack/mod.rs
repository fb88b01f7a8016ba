//! Calls of several limiters: a call departs when all of them admit it, and is charged in all of
//! them then.
//!
//! A stacked call waits in the queue of each limiter as any other call does, and so it is subject
//! to the same rules. Only its departure differs: `admission/stacked.rs` describes the part of one
//! limiter. Here the limiters are brought together:
//!
//! 1. If all limiters have room, all are charged at once, under their locks. Nothing waits.
//! 2. Otherwise the call joins the queue of the first limiter. When it is its turn there, it keeps
//!    its place at the head and joins the next queue, and so on.
//! 3. When it is its turn in all of them, they are locked, asked again, and charged together.
//!
//! # No deadlock
//!
//! A call at the head of one queue waits for its turn in another one. Two calls that did so in
//! opposite orders would wait for each other for ever. So every limiter has a rank (`rank`), and
//! every call goes in the order of ranks, for turns as well as for locks.
//!
//! # Over Redis
//!
//! A limiter over Redis grants a call ahead, for a slot that expires half of the jitter after it is
//! due. Only the head of its queue goes on to the next limiter, so a process has one call at a time
//! there, and that limiter has to be asked again for the next one. So a process gets at most one
//! call for each round trip through a stack whose limiters are all over Redis, and less if slots
//! expire meanwhile. A few calls behind the head have slots ready (`backend/redis/slots/requests`),
//! or it would be one for each two round trips.
//!
//! A round trip may take longer than a slot lasts. Then the slot of one limiter would expire while
//! the next one is asked, and so on in turns, for ever. So such a call gets slots that last for a
//! round trip longer, and goes on to the next limiter before its slot is due
//! (`Admission::wait_for_turn`). A slot that lasts longer is charged for that time. What of it has
//! not passed when the call departs is given back. So the bound holds, and the bucket is idle for
//! the rest, as one in memory is while the head of its queue waits for another limiter. Behind such
//! a slot no others are ready.
//!
//! If a slot expires all the same, the next one lasts twice as long. All limiters whose slots have
//! expired are asked again at once (`Admission::retract`).
//!
//! # The end
//!
//! A call ends in one limiter after another, which may let other calls depart. So before it ends in
//! the first one, a refusal of it has taken effect in all of them, and it is known in which of them
//! a success counts (`Permit::judge`). Stacked calls that it wakes go on when it has ended in all.
//!
//! # No task needed
//!
//! The call goes on when a queue wakes it, on the thread that wakes (`call`, `progress`). So its
//! progress does not depend on its task being polled, as for every other call.

mod call;
mod in_queue;
mod level;
mod levels;
mod of;
mod progress;
mod rank;
mod stacked;

pub use self::levels::{AsLimiter, Levels};
pub use self::of::Stack;
pub(super) use self::stacked::Stacked;
