//! `limiter!`, and everything that the expansions of `limiter!` and `#[rate_limited]` name.
//!
//! Expansions compile in the user's crate, so what they name must be public. It is public under one hidden path,
//! `openlimit::__private`, which may change in any release. The rest of the crate does not know this module: it
//! only builds on limiters, as users do.

mod absent;
mod declare;
mod keys;
pub mod options;
mod refuse;
mod request;
mod settle;
mod statics;
mod ticket;

#[cfg(not(feature = "macros"))]
pub use crate::__mistake as mistake;
#[cfg(feature = "macros")]
pub use openlimit_macros::__mistake as mistake;
pub use refuse::{on_error, refuse};
pub use request::{IsRequest, NotText, Request, Text, request};
pub use settle::{Reply, Used, Whole, reply, run};
pub use statics::{Declare, at, declare, literal_rate};
pub use ticket::{AsLimiter, Outright, Ticket, Unpriced, limiter};
