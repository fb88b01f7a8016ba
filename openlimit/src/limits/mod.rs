//! The vocabulary: rates, their resets, dimensions, limits, concurrency, costs, usage, money,
//! percents, priorities and names.
//!
//! These are plain values without a clock, a lock or a queue. Nearly every other module uses them,
//! so they are at the bottom of the tree and import nothing.
//!
//! # Files
//!
//! | file | contains |
//! | --- | --- |
//! | `rate`, `unit`, `resets`, `limit` | a rate, named periods, resets; a dimension and its rate |
//! | `calendar` | the windows of limits that reset |
//! | `dimension`, `counting`, `concurrency` | what is counted; how the provider counts; calls in flight |
//! | `cost`, `amounts`, `priced`, `usage` | what a call takes: by name, place and part; what it used |
//! | `dollars`, `percent`, `priority`, `name` | money; shares; urgency; the names of limiters |
//! | `parse`, `duration` | reads rates, budgets and durations from text |

mod amounts;
mod calendar;
mod concurrency;
mod cost;
mod counting;
mod dimension;
mod dollars;
pub(crate) mod duration;
mod limit;
mod name;
mod parse;
mod percent;
mod priced;
mod priority;
mod rate;
mod resets;
mod unit;
mod usage;

pub(crate) use self::amounts::Amounts;
pub(crate) use self::calendar::{Calendar, NO_WINDOWS, NoCalendar, UNKNOWN_ZONE, Window, day_of};
pub use self::concurrency::Concurrency;
pub use self::cost::Cost;
pub use self::counting::Counting;
pub use self::dimension::Dimension;
pub use self::dollars::{Budget, Dollars, NotDollars};
pub use self::limit::Limit;
pub(crate) use self::limit::MOST_LIMITS;
pub use self::name::Name;
pub use self::parse::ParseRateError;
pub use self::percent::Percent;
pub(crate) use self::priced::Priced;
pub use self::priority::Priority;
pub(crate) use self::rate::MOST_AMOUNT;
pub use self::rate::Rate;
pub use self::unit::Unit;
pub use self::usage::Usage;
