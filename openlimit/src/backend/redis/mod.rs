//! Shared limits: the buckets live in Redis. The queue, the permits and everything else work as
//! they do in memory.
//!
//! Calls that wait are sent to the server in batches. A Lua script decides each batch on the
//! server, in one round trip, and grants every call a moment from which it may depart. The client
//! keeps those grants as slots, and its queue takes them.
//!
//! * `decide/*.lua` is the script: the buckets, and the rules that they follow. `decide/batch.lua`
//!   lists its parts. `script` joins them, for limiters with given limits.
//! * `slots` stands in for buckets in the limiter: charges granted ahead, for calls that wait.
//! * `ledger` keeps the refunds and debts that the server does not know yet. `changes` are
//!   other things to tell it. `scale` converts amounts to weights.
//! * `driver` is the thread that carries batches and replies. `wire` is their format.
//! * `client` has one batch decided. `route` finds the server, `pool` shares a `connection` to it,
//!   and `problem` turns an error of the server into one for callers. `announced` hears of holds
//!   before the next batch.
//! * `stream` opens what a connection reads and writes: TCP, `tls` or a unix socket. `capped`
//!   limits the length of a reply, and `bounds` the waits in it.
//! * `identity` is what the clients of one name agree on, and which of two is newer.
//! * `config` is the public settings. `access`, `key`, `settings`, `shared` and `terms` are what is
//!   made of them when `build` opens a limiter. `trip` is what its keys know of the server.
//!
//! To follow a call, read `slots`, then `slots/batch.rs` and `slots/reply.rs`, then
//! `decide/batch.lua`.
//!
//! # Words
//!
//! * A *batch* is what a client sends in one round trip: calls to grant, refunds and debts. It is
//!   *in flight* until there is a reply.
//! * A *charge* puts the *weight* of a call into each bucket, and raises its *level*. Both are
//!   times: 1 ns leaks in 1 ns. (`scale` has an example.) Of limits that reset by the calendar,
//!   both are amounts, and nothing leaks.
//! * A *client* is one limiter in one process.
//! * A *refund* takes out what a call did not use. A *debt* puts in what it used beyond its charge.
//! * A *slot* is a charge that was granted ahead, with the moment from which a call may depart for
//!   it. A *lease* is a slot that serves many calls.
//! * The *look-ahead* is how far ahead slots are requested. A *far* slot lies beyond it, but within
//!   two.
//! * The *line* is of clients whose next calls would lie further ahead. They are granted in turns.
//! * *Slack* is how late a call may depart for its slot: half of the jitter. A call that waits for
//!   other limiters, too, may depart later, and is charged for that time.

mod access;
mod announced;
mod bounds;
mod build;
mod capped;
mod changes;
mod client;
mod config;
mod connection;
mod driver;
mod failure;
mod identity;
mod key;
mod ledger;
mod pool;
mod problem;
mod route;
mod scale;
mod script;
mod settings;
mod shared;
mod slots;
mod stream;
mod terms;
mod tls;
mod trip;
mod wire;

pub(super) use self::build::{Shared, check};
pub use self::config::{OnOutage, Redis};
pub(crate) use self::driver::Session;
pub(super) use self::slots::Slots;
