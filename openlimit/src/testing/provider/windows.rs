//! `Windows`: the ways of counting, and the meter for each.
//!
//! Without windows, a provider counts in a bucket that refills continuously, as most of them do.

use std::io;
use std::time::Instant;

use super::bucket::StrictBucket;
use super::calendar::StrictCalendar;
use super::clock::ProviderClock;
use super::meter::Meter;
use super::window::StrictWindow;
use crate::{Dimension, Limit};

/// The way in which a [`Provider`](crate::testing::Provider) counts in windows.
///
/// A window begins with the first call after the last one ended, and admits at most the amount of
/// the limit. The burst of the rate does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Windows {
    /// Each window lasts one period, and nothing is left of it in the next one.
    Fixed,
    /// Every window of one period counts, wherever it starts.
    Sliding,
    /// Like `Fixed`, but requests are counted in this many parts of the period, each with its part
    /// of the amount, rounded up. Azure counts requests per minute in windows of 1 or 10 s.
    Split(u32),
}

/// Creates the meter of a limit, from which nothing was taken. One that resets does so by the date
/// of `clock`, whatever the way of counting.
///
/// # Errors
/// The limit cannot be enforced.
pub(super) fn meter(
    limit: Limit,
    windows: Option<Windows>,
    clock: &ProviderClock,
    now: Instant,
) -> io::Result<Box<dyn Meter>> {
    if limit.rate().has_resets() {
        return Ok(Box::new(StrictCalendar::new(limit, clock.clone(), now)?));
    }
    Ok(match windows {
        None => Box::new(StrictBucket::new(limit, now)?),
        Some(windows) => {
            let parts = match windows {
                Windows::Split(parts) if *limit.dimension() == Dimension::Requests => parts.max(1),
                _ => 1,
            };
            Box::new(StrictWindow::new(limit, parts, windows == Windows::Sliding, now)?)
        }
    })
}
