//! Checks that limits can be shared, and derives their scales and their identity: when a limiter is
//! opened, and when its limits are changed.
//!
//! If a part of every limit is reserved, the shares of lower priorities come after the limits, in
//! the same order. A share is one more limit for the script.

use std::time::Duration;

use super::bounds::Bounds;
use super::identity::{Identity, SharedText};
use super::scale::{MOST, Scale};
use crate::backend::Starting;
use crate::bucket::Metering;
use crate::error::BuildProblem;
use crate::limits::Counting;
use crate::time::nanos;

/// The least jitter of a shared limiter. Half of it is how late a call may depart for its slot.
/// Round trips vary by milliseconds, so with less jitter slots would often be missed.
const LEAST_JITTER: Duration = Duration::from_millis(10);

/// Returns the scale of each limit and share, and the identity of all, in the order of the script.
///
/// # Errors
/// Returns the problem if a limit cannot be shared.
pub(super) fn shared(
    starting: &Starting<'_>,
    order: &[usize],
) -> Result<(Vec<Scale>, Identity), BuildProblem> {
    let (jitter, limits) = (jitter_of(starting.meterings), starting.limits.len());
    let mut meterings = starting.meterings.to_vec();
    for place in 0..meterings.len() {
        // What the share of a window keeps back is the pause before large calls.
        if place < limits || meterings[place - limits].counting == Counting::Refilling {
            meterings[place].jitter = jitter;
        }
    }
    let pause = Scale::longest_pause(&meterings);
    let (mut drain, mut scales, mut texts) = (0, Vec::new(), Vec::new());
    for place in order {
        let (limit, metering) = (&starting.limits[place % limits], &meterings[*place]);
        let scale = Scale::new(metering, pause);
        let largest = scale.weight(scale.most).saturating_add(scale.burst);
        if largest >= MOST {
            let (limit, most) = (limit.clone(), scale.most);
            return Err(if scale.resets() {
                BuildProblem::TooLargeToShare { limit, most }
            } else {
                BuildProblem::TooSlowToShare { limit, most }
            });
        }
        // What is in a bucket that does not leak counts until the reset.
        drain = drain.max(if scale.resets() { nanos(limit.rate().period()) } else { largest });
        scales.push(scale);
        if *place < limits {
            texts.push(SharedText::new(limit, metering.burst, metering.counting));
        }
    }
    let bounds = Bounds::new(drain, nanos(pause).min(MOST));
    Ok((scales, Identity::new(texts, bounds).reserving(starting.reserve)))
}

/// Returns what all limits keep back for jitter.
pub(super) fn jitter_of(meterings: &[Metering]) -> Duration {
    let limits = meterings.iter().filter(|metering| metering.share == 100);
    let jitter = limits.map(|metering| metering.jitter).max().unwrap_or_default();
    jitter.max(LEAST_JITTER)
}
