//! Opens a limiter on Redis: checks it, puts its limits in one order, and derives its identity.
//!
//! Limiters of one name share buckets. They must have the same identity, or the server refuses
//! them. The identity is the version of the layout and the text of all limits in alphabetical
//! order, so the order of declaration does not matter.

use std::time::Duration;

use super::bounds::Bounds;
use super::driver::Session;
use super::scale::{MOST, Scale};
use super::settings::Settings;
use super::slots::{Alone, LOCAL, SharedLimit, Slots};
use super::{OnOutage, Redis};
use crate::backend::memory::Memory;
use crate::backend::{Backend, Driver, Starting};
use crate::bucket::{LONGEST_PERIOD, Metering};
use crate::error::{BuildProblem, MOST_SHARED};
use crate::limits::{Counting, Limit, Percent, Rate};
use crate::time::nanos;

/// The least jitter of a shared limiter. Half of it is how late a call may depart for its slot.
/// Round trips vary by milliseconds, so with less jitter slots would often be missed.
const LEAST_JITTER: Duration = Duration::from_millis(10);

/// Opens a limiter on Redis. Does not connect yet.
///
/// # Errors
/// Returns the problem if the limiter cannot be shared, or the settings of its Redis are wrong.
pub(in crate::backend) fn open(
    redis: &Redis,
    starting: &Starting<'_>,
) -> Result<(Backend, Driver), BuildProblem> {
    let Some(name) = starting.name else { return Err(BuildProblem::SharedNameless) };
    if !starting.on_system_time {
        return Err(BuildProblem::SharedClock);
    }
    if starting.limits.is_empty() {
        return Err(BuildProblem::NoLimits);
    }
    if starting.limits.len() > MOST_SHARED {
        return Err(BuildProblem::TooManyShared(starting.limits.len()));
    }
    if let OnOutage::Local(Percent(share)) = redis.on_outage
        && !(1..=100).contains(&share)
    {
        let problem = format!("`OnOutage::Local` has a share of {share} %; give from 1 to 100");
        return Err(BuildProblem::Redis(problem.into()));
    }
    let as_text = |place: usize| as_text(&starting.limits[place], &starting.meterings[place]);
    let jitter = starting.meterings.iter().map(|metering| metering.jitter).max().unwrap_or_default();
    let jitter = jitter.max(LEAST_JITTER);
    let meterings: Vec<_> =
        starting.meterings.iter().map(|metering| Metering { jitter, ..*metering }).collect();
    let pause = Scale::longest_pause(&meterings);
    // All clients of the buckets must have the limits in the same order.
    let mut order: Vec<usize> = (0..starting.limits.len()).collect();
    order.sort_by_cached_key(|place| as_text(*place));
    let mut drain = 0;
    let mut shared = Vec::new();
    for place in order {
        let scale = Scale::new(&meterings[place], pause);
        let largest = scale.weight(scale.most).saturating_add(scale.burst);
        if largest >= MOST {
            let limit = starting.limits[place].clone();
            return Err(BuildProblem::TooSlowToShare { limit, most: scale.most });
        }
        drain = drain.max(largest);
        shared.push(SharedLimit { place, dimension: starting.dimensions[place], scale });
    }
    let texts: Vec<_> = shared.iter().map(|limit| as_text(limit.place)).collect();
    let bounds = Bounds::new(drain, nanos(pause).min(MOST));
    let settings = Settings::new(redis, name, texts.join("; "), shared.len(), bounds);
    let session = Session::new(settings.map_err(BuildProblem::Redis)?);
    let meterings: Vec<_> = starting.meterings.iter().map(|metering| redis.part(metering)).collect();
    let share = Memory::new(&Starting { meterings: &meterings, ..*starting }, LOCAL);
    let dimensions = starting.dimensions.iter().max().map_or(0, |most| most + 1);
    let alone = Alone::new(share, Memory::new(starting, LOCAL), dimensions);
    let slots =
        Slots::new(&shared, redis.terms(nanos(jitter).min(MOST)), session.server(), alone, starting.max_hold);
    Ok((Backend::Redis(Box::new(slots)), Driver::Redis(Box::new(session))))
}

/// Returns a limit as it stands in the identity. Headroom and jitter may differ between clients.
fn as_text(limit: &Limit, metering: &Metering) -> String {
    let counting = match metering.counting {
        Counting::Refilling => "",
        Counting::InWindows => ", counted in windows",
    };
    format!("{} (burst {:?}{counting})", limit.to_string().escape_debug(), metering.burst)
}

impl Redis {
    /// Returns how this process meters a limit during an outage: at a share of its rate, and so of
    /// its burst.
    fn part(&self, metering: &Metering) -> Metering {
        let OnOutage::Local(Percent(share)) = self.on_outage else { return *metering };
        let rate = metering.rate;
        // Lengthens the period, which is exact. If that would be too long, the amount of the limit
        // is large enough to be reduced instead. A window has to keep its length.
        let period = rate.period() * 100 / u32::from(share.clamp(1, 100));
        let rate = if period <= LONGEST_PERIOD && metering.counting == Counting::Refilling {
            Rate::new(rate.amount(), period)
        } else {
            let amount = u128::from(rate.amount()) * u128::from(share) / 100;
            Rate::new(u64::try_from(amount).unwrap_or(u64::MAX).max(1), rate.period())
        };
        Metering { rate, ..*metering }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::backend::redis::{OnOutage, Redis};
    use crate::bucket::Metering;
    use crate::limits::{Counting, Percent, Rate};

    #[test]
    fn a_share_of_a_window_is_a_share_of_its_amount() {
        let redis = Redis::new("redis://localhost").on_outage(OnOutage::Local(Percent(25)));
        let second = Duration::from_secs(1);
        let refilling = Metering::new(Rate::per_minute(600), second, Duration::ZERO, (0, 100));
        let windows = Metering { counting: Counting::InWindows, ..refilling };
        let share = |metering: &Metering| {
            let part = redis.part(metering);
            (part.rate.amount(), part.rate.period(), part.most)
        };
        assert_eq!(share(&refilling), (600, 240 * second, 600));
        assert_eq!(share(&windows), (150, 60 * second, 600));
    }
}
