//! `Percent`: a share in hundredths.

/// A share in hundredths: `Percent(5)` is 5 %.
///
/// Each option that takes one states the values it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(pub u8);
