//! `build`: checks the options of a limiter and builds it.
//!
//! All options are checked here, apart from those that an update can change (`declared`) and those
//! that only a backend knows. So every value behind this point is in range, and no other module has
//! to check again.

use std::sync::Arc;

use super::declared::is_ours;
use super::{Builder, Options};
use crate::admission::{Admission, Plan, Policy};
use crate::backend::{Ready, Starting};
use crate::error::{BuildError, BuildProblem};
use crate::learning::{Input, Learning, Output};
use crate::limiter::Limiter;
use crate::limiter::core::{Core, Handle};
use crate::limiter::hold_times::HoldTimes;
use crate::limiter::meters::Meters;
use crate::limiter::plans::{Planned, starting};
use crate::limits::{Dimension, Limit, Name, Percent, Priority};
use crate::pricing::PriceOptions;
use crate::queue::Queue;
use crate::time::{Time, nanos};

impl<K> Builder<K> {
    /// Builds the limiter. Connects to nothing.
    ///
    /// # Errors
    /// The [`BuildProblem`] says what is wrong. For every limiter:
    ///
    /// - no limits and no [`concurrency`](Self::concurrency), or more than 64 limits;
    /// - a concurrency of zero, or of an empty range;
    /// - two limits with the same dimension and period, unless they reset differently;
    /// - an amount of zero, or above 2^63 - 1;
    /// - a period or burst of zero, or above 31 days;
    /// - a [`burst`](Self::burst) that applies to no limit;
    /// - a rate that [resets](crate::Rate::resets_at) at what is no time of day, in an unknown
    ///   zone, over a period without windows, or that has a burst; or a jitter above half of its
    ///   period;
    /// - a burst above half of the period, for a limit that is [counted in
    ///   windows](Self::counting);
    /// - a headroom of 100 % or more;
    /// - an [`output`](Self::output) that is learned and could change nothing;
    /// - a [`reserve`](Self::reserve) of 0 or 100 %, for [`Priority::Low`], or without a limit;
    /// - an [`overflow`](Self::overflow) without [`max_waiting`](Self::max_waiting);
    /// - a dimension with an empty name;
    /// - a `max_keys` from a config, for a limiter that is not [`Keyed`](crate::Keyed);
    /// - an `input_factor` below 0.01 or above 100;
    /// - a `price` or `prices` without a limit on [`spend`](Self::spend).
    ///
    /// For a limiter that is shared through Redis also:
    ///
    /// - no name, or an empty one;
    /// - a manual clock;
    /// - no limits, or more than 16, or more than 8 with a [`reserve`](Self::reserve);
    /// - a limit so slow that its burst and its largest call together take more than 52 days to
    ///   flow back, or one that [resets](crate::Rate::resets_at) so large that its amount and its
    ///   largest call together are above 2^52;
    /// - a URL or settings that cannot be used.
    pub fn build(self) -> Result<Limiter<K>, BuildError> {
        Ok(Limiter::built(Handle::Counted(self.build_core()?)))
    }

    /// Checks all options and builds the core.
    pub(in crate::limiter) fn build_core(self) -> Result<Arc<Core>, BuildError> {
        let name = self.options.shown_name();
        let checked = self.options.check().map_err(|problem| BuildError::new(name, problem))?;
        Ok(checked.core(None))
    }
}

impl Options {
    /// Checks all options.
    pub(in crate::limiter) fn check(self) -> Result<Checked, BuildProblem> {
        let this = self.adopting();
        if let Some(keys) = this.max_keys {
            return Err(BuildProblem::UnusedMaxKeys(keys));
        }
        let meterings = this.declared.meterings()?;
        let counts_output = |limit| counts_output(limit, &this.pricing);
        if this.output == Output::Learned && !this.declared.limits.iter().any(counts_output) {
            return Err(BuildProblem::UnusedOutput);
        }
        this.pricing.check()?;
        if this.pricing.has_price() && !this.declared.limits.iter().any(is_ours) {
            return Err(BuildProblem::UnusedPrice);
        }
        this.declared.check_concurrency()?;
        let cap = this.declared.cap()?;
        let reserve = this.checked_reserve()?;
        let time = match &this.time {
            Some(time) => time.clone(),
            None if this.backend.has_clock() => Time::System,
            None => Time::detect(),
        };
        let (name, declared) = (this.shown_name(), this.declared);
        let learns = this.output == Output::Learned || this.input == Input::Learned;
        let pricing = this.pricing.learning(learns);
        let limits = declared.limits.clone();
        let plan = Plan::new(name, limits, &meterings, this.refunds, pricing).raising(declared.raises);
        let plan = if declared.concurrency.is_some() { plan.bounding_in_flight() } else { plan };
        let plan = plan.telling(this.on_wait);
        let plan = reserve.into_iter().fold(plan, |plan, (priority, part)| plan.reserving(priority, part));
        let max_hold = nanos(this.max_hold);
        let learning = Learning::new(this.output, this.input, plan.learned_limits(&meterings));
        let mut checked = Checked {
            policy: Arc::new(Policy {
                grace: declared.grace(),
                max_hold,
                cap,
                widens: declared.widening(),
                learning: Some(learning),
            }),
            planned: Arc::new(Planned { plan, declared, max_hold, meters: Meters::default() }),
            time,
            given: this.name.filter(|name| !name.is_empty()),
            backend: Ready::default(),
        };
        checked.backend = this.backend.check(&checked.starting())?;
        Ok(checked)
    }

    /// Checks what is kept for a priority, and returns it.
    fn checked_reserve(&self) -> Result<Option<(Priority, Percent)>, BuildProblem> {
        match self.reserve {
            None => Ok(None),
            Some((_, Percent(percent @ (0 | 100..)))) => Err(BuildProblem::ReservedPart(percent)),
            Some((Priority::Low, _)) => Err(BuildProblem::ReservedForAll),
            Some(_) if self.declared.limits.is_empty() => Err(BuildProblem::UnusedReserve),
            reserve => Ok(reserve),
        }
    }
}

/// Returns true if what is learned about the output of a call can change what it takes of a limit.
fn counts_output(limit: &Limit, pricing: &PriceOptions) -> bool {
    match limit.dimension() {
        Dimension::OutputTokens => true,
        Dimension::Tokens => pricing.sums(),
        Dimension::Spend => pricing.has_price(),
        _ => false,
    }
}

/// Options that were checked. Any number of limiters can be made of them, one for each key.
pub(in crate::limiter) struct Checked {
    pub(in crate::limiter) planned: Arc<Planned>,
    policy: Arc<Policy>,
    pub(in crate::limiter) time: Time,
    /// The name that the program gave.
    given: Option<Name>,
    backend: Ready,
}

impl Checked {
    /// Returns what its backend has to know.
    fn starting(&self) -> Starting<'_> {
        starting(&self.planned, self.given.as_deref(), self.planned.max_hold, &self.time)
    }

    /// Makes a limiter: that of a key, by its text in a store, if there is one for each key.
    pub(in crate::limiter) fn core(&self, key: Option<&str>) -> Arc<Core> {
        let Self { planned, policy, time, .. } = self;
        let (backend, driver) = self.backend.open(&self.starting(), key);
        let queue = Queue::new(planned.width());
        let admission = Admission::new(backend, queue, Arc::clone(policy))
            .reserving(planned.reserve())
            .bounds_in_flight(planned.declared.concurrency.as_ref());
        let hold_times = HoldTimes::new(self.given.as_deref(), time);
        Core::new(Arc::clone(planned), admission, driver, time.clone(), hold_times)
    }
}
