//! `Slots`: the state of one limiter whose buckets are in Redis.
//!
//! A slot is a charge that Redis has granted and no call has taken yet, and the moment from which a
//! call may depart for it. A batch requests slots for the calls at the front of the queue that have
//! none, as long as the last slot lies within the look-ahead.
//!
//! Slots belong to the limiter and not to the calls that they were requested for. The head of the
//! queue takes the first slot that it fits. So the order of the queue may change at any time, and a
//! call that leaves lets the calls behind it move up. Slots that no call takes are given back.
//!
//! A lease is a large slot that was requested for no call in particular. It serves many calls, one
//! after another, without a round trip.
//!
//! During an outage, if the limiter is set to [`OnOutage::Local`](super::OnOutage::Local), buckets
//! in this process decide, at a share of every limit.
//!
//! All of this is pure state under the limiter's lock, and takes the time as an argument. The
//! driver carries batches and replies.
//!
//! * `state` is all of it.
//! * `operations` is what the limiter does with it, as with buckets in memory.
//! * `batch` makes batches, and `reply` turns replies into slots.
//! * `requests` decides which calls a batch asks for.
//! * `ahead` lets calls take slots, and gives slots back.
//! * `sooner` moves slots up after a refund.
//! * `shares` lets calls of a reserved priority go before those below.
//! * `marks` remembers what was granted before each call, for what responses say.
//! * `silence` tells if a call waited in vain for its limits or for the server.
//! * `estimate` computes what is known of the buckets between two replies.
//! * `held` admits nothing during a hold. `announced` begins one before a reply says so.
//! * `change` changes the limits, and takes over those that another process has updated. `past`
//!   knows what calls before that weigh.
//! * `resets` follows limits that reset by the calendar. `windows` are those of one limit.
//! * `pace` lets calls weigh more after a refusal, and where the provider allows less.
//! * `as_new` finds out if the state says nothing any more.
//! * `outage` decides while Redis is away. `alone` meters what was taken then, and what of it is
//!   owed.

mod ahead;
mod alone;
mod announced;
mod as_new;
mod batch;
mod change;
mod estimate;
mod held;
mod marks;
mod operations;
mod outage;
mod pace;
mod past;
mod reply;
mod requests;
mod resets;
mod shares;
mod silence;
mod sooner;
mod state;
#[cfg(test)]
mod tests;
mod windows;

pub(super) use self::alone::Alone;
pub(super) use self::change::Met;
pub(crate) use self::state::Slots;
pub(super) use self::state::{LOCAL, SharedLimit};
pub(super) use self::windows::Windows;
