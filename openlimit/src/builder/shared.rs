//! What a builder makes of limits that are shared through Redis.

use std::time::Duration;

use super::{Builder, LONGEST as LONGEST_PERIOD, Percent};
use crate::core::Core;
use crate::error::BuildProblem;
use crate::redis::{MOST, OnOutage, Redis, Scale, Settings, Terms};
use crate::time::{Time, nanos};
use crate::{Limit, Rate};

/// A script's locals are few, and so are the limits of anybody's account.
const MOST_LIMITS: usize = 8;

/// What is kept back for jitter at least: between processes it is the network and not a timer that bunches calls.
const LEAST_JITTER: Duration = Duration::from_millis(10);

/// What [`Core::shared`](crate::core::Core::shared) takes.
pub(crate) struct Share {
    pub(crate) settings: Settings,
    pub(crate) scales: Box<[Scale]>,
    pub(crate) terms: Terms,
}

impl<K> Builder<K> {
    pub(super) fn try_build_shared(mut self, redis: &Redis) -> Result<Core, BuildProblem> {
        let declared = self.sort_limits();
        let share = self.share(redis)?;
        let buckets = self.buckets()?;
        Ok(self.core(buckets, Time::System).shared(share, declared))
    }

    fn share(&self, redis: &Redis) -> Result<Share, BuildProblem> {
        if !self.is_named {
            return Err(BuildProblem::SharedNameless);
        }
        if !matches!(self.time, None | Some(Time::System)) {
            return Err(BuildProblem::SharedClock);
        }
        if self.limits.len() > MOST_LIMITS {
            return Err(BuildProblem::TooManyShared(self.limits.len()));
        }
        if let OnOutage::Local(share) = redis.on_outage_policy()
            && !(1..=100).contains(&share.0)
        {
            return Err(BuildProblem::Redis("its share in an outage is not within 1 to 100 %".into()));
        }
        let headroom = self.kept_back()?;
        let jitter = self.jitter.max(LEAST_JITTER);
        let mut drain = 0;
        let mut scales = Vec::new();
        // Checks the limits, too.
        for (limit, bucket) in self.limits.iter().zip(self.buckets()?) {
            let scale = Scale::new(limit.rate(), self.burst_of(limit.rate()), jitter, headroom);
            let largest = scale.weight(bucket.most()).saturating_add(scale.burst);
            if largest >= MOST {
                return Err(BuildProblem::TooSlowToShare(limit.clone()));
            }
            drain = drain.max(largest);
            scales.push(scale);
        }
        let slack = nanos(jitter / 2).min(MOST);
        let limits = self.limits.iter().map(|limit| self.in_words(limit)).collect::<Vec<_>>().join("; ");
        let settings = Settings::new(redis, &self.name, limits, self.limits.len(), drain);
        let settings = settings.map_err(BuildProblem::Redis)?;
        Ok(Share { settings, scales: scales.into(), terms: redis.terms(slack) })
    }

    /// Whatever the order of their declaration, everybody has the limits in that of their words: it is the order of the buckets.
    /// Says where each limit is now that was declared.
    fn sort_limits(&mut self) -> Box<[usize]> {
        let mut order: Vec<usize> = (0..self.limits.len()).collect();
        order.sort_by_cached_key(|limit| self.in_words(&self.limits[*limit]));
        self.limits = order.iter().map(|limit| self.limits[*limit].clone()).collect();
        let mut declared = vec![0; order.len()];
        for (place, limit) in order.into_iter().enumerate() {
            declared[limit] = place;
        }
        declared.into()
    }

    /// What tells a limit from others of the same name: headroom and jitter are the limiter's own.
    fn in_words(&self, limit: &Limit) -> String {
        format!("{} (burst {:?})", limit.to_string().escape_debug(), self.burst_of(limit.rate()))
    }
}

impl Redis {
    /// The part of a rate, and of its burst, that one process may use while Redis is away.
    pub(super) fn part(&self, rate: Rate) -> Rate {
        let OnOutage::Local(Percent(share)) = self.on_outage_policy() else { return rate };
        // A longer period is exact. Where it would be too long, the amount is large.
        let period = rate.period() * 100 / u32::from(share.clamp(1, 100));
        if period <= LONGEST_PERIOD {
            Rate::new(rate.amount(), period)
        } else {
            let amount = u128::from(rate.amount()) * u128::from(share) / 100;
            Rate::new(u64::try_from(amount).unwrap_or(u64::MAX).max(1), rate.period())
        }
    }
}
