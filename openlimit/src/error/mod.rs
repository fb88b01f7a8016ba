//! The errors: why a call was not admitted, and why a limiter cannot be built.
//!
//! Each message says what is wrong, the value, what was expected, and what to do. Errors know only
//! the vocabulary, so that every other module can return them.
//!
//! # Files
//!
//! | file | contains |
//! | --- | --- |
//! | `acquire`, `params`, `store` | why a call, its params or the store failed |
//! | `build`, `build_problem` | why a limiter cannot be built; each mistake, and its message |
//! | `first_free` | why none of several calls was admitted |
//! | `from_acquire` | how an annotated function returns a refusal |
//! | `kind`, `duration` | short names for metrics; durations in messages |

mod acquire;
mod build;
mod build_problem;
mod duration;
mod first_free;
mod from_acquire;
mod kind;
mod params;
mod store;

pub use self::acquire::AcquireError;
pub use self::build::BuildError;
pub use self::build_problem::BuildProblem;
#[cfg(feature = "redis")]
pub(crate) use self::build_problem::MOST_SHARED;
pub(crate) use self::duration::short;
pub use self::first_free::FirstFreeError;
pub use self::from_acquire::FromAcquireError;
pub use self::params::ParamsError;
pub use self::store::{StoreError, StoreProblem, StoreStatus};
