//! `Percent`: a share in hundredths.
//!
//! A type of its own, so that an option cannot be given 0.05 where it expects 5.

/// A share in hundredths: `Percent(5)` is 5 %.
///
/// Each option that takes one states the values it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(pub u8);
