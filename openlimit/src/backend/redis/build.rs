//! `Shared`: limits on Redis. Checks them, puts them in one order, derives their identity, and
//! opens the limiter of each name.
//!
//! Limiters of one name share buckets. They must have the same identity, or the server refuses
//! them. The order of the limits in it does not depend on the order of their declaration.

use std::sync::Arc;

use super::driver::Session;
use super::identity::Identity;
use super::key::Keys;
use super::scale::MOST;
use super::settings::{Common, Settings};
use super::shared::{jitter_of, shared};
use super::slots::{Alone, LOCAL, SharedLimit, Slots, Windows};
use super::terms::Terms;
use super::{OnOutage, Redis};
use crate::backend::memory::Memory;
use crate::backend::{Backend, Driver, Starting};
use crate::bucket::{LONGEST_PERIOD, Metering};
use crate::error::{BuildProblem, MOST_SHARED};
use crate::limits::{Calendar, Counting, Percent, Rate};
use crate::time::nanos;

/// Checked limits on Redis: what the limiters of all keys have in common.
pub(crate) struct Shared {
    common: Arc<Common>,
    prefix: String,
    name: String,
    limits: Box<[SharedLimit]>,
    identity: Identity,
    /// What this process meters by itself during an outage: its share of the limits.
    share: Memory,
    terms: Terms,
}

/// Checks limits for Redis. Does not connect.
///
/// # Errors
/// Returns the problem if they cannot be shared, or the settings of their Redis are wrong.
pub(in crate::backend) fn check(redis: &Redis, starting: &Starting<'_>) -> Result<Shared, BuildProblem> {
    let Some(name) = starting.name else { return Err(BuildProblem::SharedNameless) };
    if !starting.on_system_time {
        return Err(BuildProblem::SharedClock);
    }
    if starting.limits.is_empty() {
        return Err(BuildProblem::NoLimits);
    }
    // A share is one more for the script.
    let (limits, all) = (starting.limits.len(), starting.meterings.len());
    if all > MOST_SHARED {
        return Err(BuildProblem::TooManyShared { limits, most: MOST_SHARED * limits / all });
    }
    if let OnOutage::Local(Percent(share)) = redis.on_outage
        && !(1..=100).contains(&share)
    {
        let problem = format!("`OnOutage::Local` has a share of {share} %; give from 1 to 100");
        return Err(BuildProblem::Redis(problem.into()));
    }
    let order = order(starting);
    let (scales, identity) = shared(starting, &order)?;
    let shared = order.iter().zip(scales).map(|(place, scale)| {
        let metering = &starting.meterings[*place];
        let calendar = Calendar::of(metering.rate).ok().flatten();
        let windows = calendar.map(|calendar| Windows::new(calendar, starting.dates.clone()));
        let dimension = starting.dimensions[*place];
        SharedLimit { place: *place, dimension, share: metering.share, scale, windows }
    });
    let shared: Box<[_]> = shared.collect();
    let reset = shared.iter().map(|limit| limit.windows.is_some()).collect();
    let common = Common::new(redis, reset, all - limits).map_err(BuildProblem::Redis)?;
    let parts: Vec<_> = starting.meterings.iter().map(|metering| redis.on_outage.part(metering)).collect();
    Ok(Shared {
        common: Arc::new(common),
        prefix: redis.prefix.clone(),
        name: name.to_owned(),
        limits: shared,
        identity,
        share: Memory::new(&starting.metered_by(&parts), LOCAL),
        terms: redis.terms(nanos(jitter_of(starting.meterings)).min(MOST)),
    })
}

impl Shared {
    /// Opens the limiter of a key, or the only one. It is given what was checked. Does not connect
    /// yet.
    pub(in crate::backend) fn open(&self, starting: &Starting<'_>, key: Option<&str>) -> (Backend, Driver) {
        let keys = Keys::new(&self.prefix, &self.name, key);
        let session = Session::new(Settings::new(Arc::clone(&self.common), keys));
        let alone = Alone::new(self.share.of_another(), self.limits.len());
        let (server, trip) = (session.server(), self.common.usual_trip.clone());
        let slots = Slots::new(&self.limits, self.terms, server, alone, starting.max_hold, trip);
        let slots = slots.identified(self.identity.clone());
        (Backend::Redis(Box::new(slots)), Driver::Redis(Box::new(session)))
    }
}

/// Returns the places of the limits in the order of the script, and then those of their shares, if
/// there are any. All clients of the buckets must have the same, also after an update of the
/// amounts. So amounts count only where all else is equal, which includes when limits reset.
fn order(starting: &Starting<'_>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..starting.limits.len()).collect();
    order.sort_by_cached_key(|place| {
        let (limit, metering) = (&starting.limits[*place], &starting.meterings[*place]);
        let rate = limit.rate();
        let resets = rate.resets().map(|resets| (resets.time, resets.zone));
        (limit.dimension().to_string(), rate.period(), resets, rate.amount(), metering.burst)
    });
    let limits = order.len();
    order.extend_from_within(..starting.meterings.len() - limits);
    order.iter_mut().skip(limits).for_each(|place| *place += limits);
    order
}

impl OnOutage {
    /// Returns how this process meters a limit during an outage: at a share of its rate, and so of
    /// its burst.
    pub(super) fn part(self, metering: &Metering) -> Metering {
        let Self::Local(Percent(share)) = self else { return *metering };
        let rate = metering.rate;
        // Lengthens the period, which is exact. If that would be too long, the amount of the limit
        // is large enough to be reduced instead. A window has to keep its length.
        let period = rate.period() * 100 / u32::from(share.clamp(1, 100));
        let is_window = metering.counting == Counting::InWindows || rate.has_resets();
        let rate = if period <= LONGEST_PERIOD && !is_window {
            Rate::new(rate.amount(), period)
        } else {
            let amount = u128::from(rate.amount()) * u128::from(share) / 100;
            rate.with_amount(u64::try_from(amount).unwrap_or(u64::MAX).max(1))
        };
        Metering { rate, ..*metering }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::backend::redis::OnOutage;
    use crate::bucket::Metering;
    use crate::limits::{Counting, Percent, Rate};

    #[test]
    fn a_share_of_a_window_is_a_share_of_its_amount() {
        let quarter = OnOutage::Local(Percent(25));
        let second = Duration::from_secs(1);
        let refilling = Metering::new(Rate::per_minute(600), second, Duration::ZERO, (0, 100));
        let windows = Metering { counting: Counting::InWindows, ..refilling };
        let share = |metering: &Metering| {
            let part = quarter.part(metering);
            (part.rate.amount(), part.rate.period(), part.most)
        };
        assert_eq!(share(&refilling), (600, 240 * second, 600));
        assert_eq!(share(&windows), (150, 60 * second, 600));
        let day = Rate::per_day(600).resets_at("00:00", "UTC");
        let daily = quarter.part(&Metering::new(day, day.period(), Duration::ZERO, (0, 100)));
        assert_eq!((daily.rate, daily.most), (day.with_amount(150), 600));
    }
}
