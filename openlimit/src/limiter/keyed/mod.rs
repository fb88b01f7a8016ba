//! A limiter for each key: a tenant, a user, an API key, a model.
//!
//! Each key has a core of its own, and [`Keyed::of`] returns the limiter around it. So everything
//! that takes a limiter takes that of a key, and no rule is written twice. What never changes is
//! shared by all keys.
//!
//! | file | contains |
//! | --- | --- |
//! | `of_key` | `Keyed`: what programs hold |
//! | `options`, `limits` | `max_keys`, `limits` and `key_name`; the limits of one key |
//! | `cores` | makes, keeps and forgets the core of each key |
//! | `map`, `table` | the shards that the keys are spread over; the hash table in each |

mod cores;
mod limits;
mod map;
mod of_key;
mod options;
mod table;

pub use self::limits::KeyLimits;
pub use self::of_key::{Keyed, OfKind};
pub use self::options::PerKey;
