//! `limiter!`, and everything that the expansions of `limiter!` and `#[rate_limited]` name.
//!
//! An expansion compiles in the user's crate, so everything that it names must be public. All of it
//! is public under one hidden path, `openlimit::__private`, which may change in any release. No
//! other module uses this one. It builds on limiters as users do.
//!
//! Many of the traits exist for their messages: a wrong value fails to implement the trait, and
//! rustc prints what the trait says in `on_unimplemented`.
//!
//! | file | contains |
//! | --- | --- |
//! | `declare`, `keys` | `limiter!`, and its keys |
//! | `statics` | the statics that it declares |
//! | `absent` | messages for methods that do not exist |
//! | `ticket`, `request` | the start of a call under `#[rate_limited]`; the check of its `params` |
//! | `refuse`, `settle` | its end: the error of a refused call, and the option `usage` |
//! | `judge`, `retry` | the options `feedback`, `refused` and `retry` |
//! | `stream`, `event` | the option `stream`: moves the permit, and reads the items |
//! | `options` | the names of the attribute's options, for editors |

mod absent;
mod declare;
#[cfg(feature = "stream")]
mod event;
mod judge;
mod keys;
pub mod options;
mod refuse;
mod request;
mod retry;
mod settle;
mod statics;
#[cfg(feature = "stream")]
mod stream;
mod ticket;

#[cfg(not(feature = "macros"))]
pub use crate::__mistake as mistake;
pub use crate::limiter::{AsLimiter, Levels};
#[cfg(feature = "stream")]
pub use event::{Bytes, Event, Item, Parsed, ReadableEvent, StatesUsage, WholeItem, event, item, unobserved};
pub use judge::{
    AnyError, Behind, Failed, NoError, PointsToError, Readable, Unread, failed, found, refused, unknown,
};
#[cfg(feature = "macros")]
pub use openlimit_macros::__mistake as mistake;
pub use refuse::{on_error, refuse};
pub use request::{IsRequest, NotText, Request, Text, request};
pub use retry::{Again, Retries, again, retries};
pub use settle::{Reply, Used, Whole, reply, run};
pub use statics::{Declare, NotDeclared, at, literal_rate};
#[cfg(feature = "stream")]
pub use stream::{
    Boxed, Opaque, ReadForm, Returned, StreamForm, WholeReturned, boxed, kept, opaque, returned,
};
pub use ticket::{Outright, StackTicket, Ticket, Unpriced, UnpricedLevels, limiter, stack};
