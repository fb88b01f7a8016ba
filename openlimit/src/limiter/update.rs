//! Changes the limits and other options while the limiter runs.
//!
//! The closure of the program is foreign code, so it runs before the lock is taken. It only notes
//! what to change. Everything else happens under the lock, as one step: the new limits are checked,
//! the buckets change, and the waiters that are due then are admitted. So no call sees a part of
//! it.

use std::task::Waker;
use std::time::Duration;

use super::builder::Declared;
use super::core::{Core, State};
use super::meters::Meters;
use super::plans::{Planned, starting};
use super::{Burst, Limiter};
use crate::admission::Plan;
use crate::backend::{Backend, Starting};
use crate::error::{BuildError, BuildProblem};
use crate::limits::{Budget, Concurrency, Dimension, Limit, Percent, Rate};
use crate::queue::Overflow;

impl<K> Limiter<K> {
    /// Changes rates, and other options that an [`Update`] has, while the limiter runs.
    ///
    /// What is used of a limit stays in proportion to its rate: if 30 % of a day's amount was
    /// taken, 30 % of the new amount is. With another burst alone, the amount that was taken stays.
    /// Calls that wait move at once: they are admitted or held back by the new limits. A call that
    /// is larger than a new limit allows is refused with
    /// [`TooLarge`](crate::AcquireError::TooLarge). Permits that are out can be settled as always.
    /// But one from before the last 32 updates may give back less than it did not use, and over
    /// Redis one from before the last 8 may give back nothing.
    /// After an update, a call larger than the burst may wait as if the bucket had become empty only
    /// then.
    ///
    /// A rate replaces the limit with the same dimension and period, which
    /// [resets](Rate::resets_at) at the same time if it does. What was taken of such a limit stays
    /// taken. Limits cannot be added or removed. What the provider [said](crate::Permit::observe)
    /// it allows still counts.
    ///
    /// If the limits are shared through Redis, the other processes take the newest limits over with
    /// their next batch, also those that begin later with others. Of two updates at the same time,
    /// the last to arrive counts. Bursts go with the limits, and all other options are each
    /// process's own. [`status`](Self::status) shows the limits that this process has and the
    /// number of updates, and the feature `tracing` reports each one that was taken over. Until a
    /// process knows, it refuses calls that only a raised limit allows.
    ///
    /// `change` runs once, before anything is changed and without a lock, so it may use the
    /// limiter.
    ///
    /// ```
    /// use openlimit::{Percent, Rate, RateLimiter};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().tokens(Rate::per_day(40_000)).build()?;
    /// drop(limiter.try_acquire(10_000)?);
    /// limiter.update(|limits| limits.tokens(Rate::per_day(60_000)).headroom(Percent(5)))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The problem, if the limiter could not be built with the new limits, has no such limit, or
    /// cannot be built at all. Nothing is changed then.
    pub fn update(&self, change: impl FnOnce(Update) -> Update) -> Result<(), BuildError> {
        let core = self.handle().map_err(Clone::clone)?.core();
        let update = change(Update::default());
        core.run_driver();
        let changed = core.change(|declared, _| Ok((update.apply_to(declared)?, None)));
        changed.map_err(|problem| BuildError::of_update(core.plan.name().clone(), problem))
    }
}

/// What [`Limiter::update`](crate::Limiter::update) changes. Its methods are those of the
/// [`Builder`](crate::Builder), but a rate replaces a limit and adds none.
#[derive(Clone, Debug, Default)]
#[must_use = "an update changes nothing until it is returned to `Limiter::update`"]
pub struct Update {
    limits: Vec<Limit>,
    burst: Option<Burst>,
    jitter: Option<Duration>,
    headroom: Option<Percent>,
    concurrency: Option<Concurrency>,
    max_waiting: Option<usize>,
    overflow: Option<Overflow>,
}

impl Update {
    /// Changes the limit on requests with the same period.
    pub fn requests(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Requests, rate))
    }

    /// Changes the limit on tokens with the same period.
    pub fn tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Tokens, rate))
    }

    /// Changes the limit on input tokens with the same period.
    pub fn input_tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::InputTokens, rate))
    }

    /// Changes the limit on output tokens with the same period.
    pub fn output_tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::OutputTokens, rate))
    }

    /// Changes the limit on images with the same period.
    pub fn images(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Images, rate))
    }

    /// Changes the budget over the same time.
    pub fn spend(self, budget: Budget) -> Self {
        self.limit(Limit::new(Dimension::Spend, budget.rate()))
    }

    /// Changes the limit with the same dimension and period, which [resets](Rate::resets_at) at the
    /// same time if it does.
    ///
    /// A rate without a [burst](Rate::burst) of its own takes the limiter's, or the default, as it
    /// does in the builder.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limits.push(limit);
        self
    }

    /// Changes the [burst](crate::Builder::burst) of the limiter.
    ///
    /// A longer burst makes room at once. But if the limits are counted in
    /// [windows](crate::Counting::InWindows), it makes room only as time passes, so that no window
    /// holds more than the amount.
    pub fn burst(mut self, burst: impl Into<Burst>) -> Self {
        self.burst = Some(burst.into());
        self
    }

    /// Changes the [headroom](crate::Builder::headroom) of the limiter.
    pub fn headroom(mut self, headroom: Percent) -> Self {
        self.headroom = Some(headroom);
        self
    }

    /// Changes the [jitter](crate::Builder::jitter) of the limiter.
    ///
    /// A lower jitter makes room only as time passes, since calls that were admitted before may
    /// still be late by the earlier one. With limits that are shared through Redis, it makes room
    /// at once.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// Changes the [concurrency](crate::Builder::concurrency) of the limiter, which must have one.
    ///
    /// If it is lowered, calls in flight go on, and no other one is admitted before enough of them
    /// have ended. [`Concurrency::Adaptive`] begins with the number that is allowed now, or the
    /// nearest one within its range.
    pub fn concurrency(mut self, concurrency: impl Into<Concurrency>) -> Self {
        self.concurrency = Some(concurrency.into());
        self
    }

    /// Changes how many calls may [wait](crate::Builder::max_waiting).
    ///
    /// If more do, the [overflow](Self::overflow) decides: [`Overflow::RejectNew`] lets them wait,
    /// and refuses newcomers until there is a place. [`Overflow::DropOldest`] and
    /// [`Overflow::DropLowest`] refuse the oldest and the last calls of the lowest priority at
    /// once, until no more wait than may.
    pub fn max_waiting(mut self, calls: usize) -> Self {
        self.max_waiting = Some(calls);
        self
    }

    /// Changes which call is [refused](crate::Builder::overflow) when more would wait than may.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = Some(overflow);
        self
    }

    /// Returns the limits with this change.
    fn apply_to(self, declared: &Declared) -> Result<Declared, BuildProblem> {
        let mut declared = declared.clone();
        for limit in self.limits {
            match declared.limits.iter().position(|other| other.is_same(&limit)) {
                Some(place) => declared.limits[place] = limit,
                None => return Err(BuildProblem::NoSuchLimit(limit)),
            }
        }
        if self.concurrency.is_some() && declared.concurrency.is_none() {
            return Err(BuildProblem::NoConcurrency);
        }
        declared.concurrency = self.concurrency.or(declared.concurrency);
        declared.max_waiting = self.max_waiting.or(declared.max_waiting);
        declared.overflow = self.overflow.or(declared.overflow);
        declared.jitter = self.jitter.unwrap_or(declared.jitter);
        declared.burst = self.burst.or(declared.burst);
        declared.headroom = self.headroom.or(declared.headroom);
        Ok(declared)
    }
}

impl Core {
    /// Changes the limits, between two pumps: to those that `change` returns, with their version if
    /// another process has updated them.
    pub(super) fn change<E: From<BuildProblem>>(
        &self,
        change: impl FnOnce(&Declared, &mut Backend) -> Result<(Declared, Option<u64>), E>,
    ) -> Result<(), E> {
        let mut changed = Err(BuildProblem::Forked.into());
        self.update(|state, now, wakers| {
            changed = change(&self.plan.now().declared, &mut state.admission.backend)
                .and_then(|declared| Ok(self.apply(state, declared, now, wakers)?));
        });
        changed
    }

    /// Starts the driver, so that a change is sent before the next call. If that fails, the next
    /// call says so.
    pub(super) fn run_driver(&self) {
        if self.driver.is_needed() {
            let _ = self.start();
        }
    }

    /// Applies new limits to the state.
    fn apply(
        &self,
        state: &mut State,
        (declared, version): (Declared, Option<u64>),
        now: u64,
        wakers: &mut Vec<Waker>,
    ) -> Result<(), BuildProblem> {
        let (meterings, cap) = (declared.meterings()?, declared.cap()?);
        declared.check_concurrency()?;
        let plan = self.plan.with_limits(declared.limits.clone(), &meterings);
        let before = self.plan.now();
        let is_metered_alike =
            plan.meterings() == before.meterings() && declared.widening() == before.declared.widening();
        if version.is_some() || !is_metered_alike {
            let limits = self.starting(&plan);
            state.admission.change(&plan, (&limits, version), declared.widening(), now, wakers)?;
        }
        state.admission.set_grace(declared.grace());
        state.admission.bound_in_flight(declared.concurrency.as_ref(), now);
        state.admission.cap(cap, now, wakers);
        let (max_hold, meters) = (self.plan.max_hold, Meters::default());
        self.plan.replace(Planned { plan, declared, max_hold, meters });
        Ok(())
    }

    /// Returns what a backend has to know of these limits.
    pub(super) fn starting<'a>(&self, plan: &'a Plan) -> Starting<'a> {
        starting(plan, Some(plan.name()), self.plan.max_hold, &self.time)
    }
}
