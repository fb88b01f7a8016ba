//! The errors: why a call was not admitted, and why a limiter cannot be built.
//!
//! Each message says what is wrong, the value, what was expected, and what to do. They know the
//! vocabulary and nothing else, so that every module can return them.

mod acquire;
mod build;
mod duration;
mod params;
mod store;

pub use self::acquire::{AcquireError, FromAcquireError};
pub use self::build::{BuildError, BuildProblem};
pub use self::params::ParamsError;
pub use self::store::{StoreError, StoreProblem, StoreStatus};
