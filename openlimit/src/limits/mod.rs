//! The vocabulary: rates, dimensions, limits, costs, usage, percents and names.
//!
//! Plain values without a clock, a lock or a queue. Every other module speaks in these words, so
//! they stand at the bottom and import nothing.

mod amounts;
mod cost;
mod dimension;
mod limit;
mod name;
mod percent;
mod rate;
mod usage;

pub(crate) use self::amounts::Amounts;
pub use self::cost::Cost;
pub use self::dimension::Dimension;
pub use self::limit::Limit;
pub use self::name::Name;
pub use self::percent::Percent;
pub use self::rate::{Rate, Unit};
pub use self::usage::Usage;
