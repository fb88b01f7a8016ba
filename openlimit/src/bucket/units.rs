//! Writes a limit in the units of a level.
//!
//! # Units: why nothing rounds
//!
//! A rate of `A` per `P` nanoseconds leaks `A / P` of one token (or request) in a nanosecond. With
//! a headroom of `h / H` it leaks `A * (H - h) / (P * H)`. This is hardly ever a whole number, so
//! the level counts neither tokens nor nanoseconds. It counts *weight*, a unit so small that a
//! token and the leak of a nanosecond are both whole numbers of it:
//!
//! ```text
//! unit = P * H            the weight of one token
//! leak = A * (H - h)      the weight that leaks in a nanosecond
//! ```
//!
//! The burst and the jitter are times of the declared rate, without headroom. Their nanosecond has
//! the weight `A * H`, which is a whole number, too. All three are divided by their greatest common
//! divisor. In the example of `bucket`, without headroom, `P` is 60 * 10^9 and `A` is 200. So
//! `unit` is 300 000 000 and `leak` is 1: a request weighs 300 million, and a nanosecond leaks 1.
//! With the default headroom of 1/5000, `unit` is 1.5 * 10^12 and `leak` is 4999. One request then
//! leaks in 300 060 012.002 ns, and the level is exact all the same. Only the time at which a call
//! is due is rounded, up to the next nanosecond.
//!
//! Amounts are below 2^63, periods, bursts and jitter are at most 31 days (2^51.3 ns), and `H` is
//! at most 5000 (2^12.3), so every product stays below 2^127. Nearly every real limit fits into 64
//! bits, where the arithmetic takes a fifth of the time. Such a limit gets a `Level<u64>`, the
//! others get a `Level<u128>`.

use std::sync::Arc;

use super::level::{Level, Weights};
use super::unusual::Unusual;
use super::{Bucket, Metering};
use crate::time::nanos;

/// The largest weight of a whole period, of the burst and of the jitter in a level of 64 bits.
///
/// This leaves a factor of 16. So the bucket is exact up to a debt of 15 further periods. A larger
/// debt can only come from calls that used far more than they had reserved, or that are larger than
/// the declared limit. It is cut to that much.
const NARROW: u128 = 1 << 60;

impl Bucket {
    /// Creates a bucket at level zero, of a limit that does not reset.
    pub(super) fn refilling(metering: &Metering) -> Self {
        let Metering { rate, burst, jitter, headroom: (left, of), most, share, .. } = metering.as_refilling();
        // A call may take all of the declared limit, also where this is a share of it.
        let declared =
            u128::from(Metering::new(rate, burst, jitter, (left, of)).most) * 100 / u128::from(share);
        let usual = declared.min(most.into());
        let (left, of) = (u128::from(left), u128::from(of));
        let amount = u128::from(rate.amount());
        let (unit, leak, nanosecond) = (rate.period().as_nanos() * of, amount * (of - left), amount * of);
        let common = gcd(gcd(unit, leak), nanosecond);
        let (unit, leak, nanosecond) = (unit / common, leak / common, nanosecond / common);
        let (burst, jitter) = (burst.as_nanos() * nanosecond, jitter.as_nanos() * nanosecond);
        let (fit, late) = (burst.saturating_sub(jitter), nanos(metering.late));
        let whole = Metering::new(metering.rate, metering.burst, metering.jitter, metering.headroom).most;
        let whole = unit.saturating_mul(whole.min(most).into());
        let weights = Weights { unit, leak, fit, burst, jitter, most, whole, nanosecond, late };
        if unit.saturating_mul(usual).max(burst).max(jitter).max(leak) <= NARROW {
            Self::Narrow(Level::new(Arc::new(weights.narrowed())))
        } else {
            Self::Unusual(Box::new(Unusual::Wide(Level::new(Arc::new(weights)))))
        }
    }
}

/// Returns the greatest common divisor.
fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
