//! `build`: checks the options of a limiter and builds it.
//!
//! All options are checked here, apart from the limits (`declared`) and those that only a backend
//! knows. So every value behind this point is in range, and no other module has to check again.

use std::sync::Arc;

use super::core::{Core, Handle};
use super::declared::{Declared, least_lateness};
use super::hold_times::HoldTimes;
use super::{Builder, Limiter};
use crate::admission::{Admission, Cap, Plan};
use crate::backend::Starting;
use crate::error::{BuildError, BuildProblem};
use crate::learning::{Learning, Output};
use crate::limits::{Dimension, Limit, Name};
use crate::queue::Queue;
use crate::time::{Time, nanos};

impl<K> Builder<K> {
    /// Builds the limiter. Connects to nothing.
    ///
    /// # Errors
    /// The [`BuildProblem`] says what is wrong. For every limiter:
    ///
    /// - no limits, or more than 64;
    /// - an amount of zero, or above 2^63 - 1;
    /// - a period or burst of zero, or above 31 days;
    /// - a [`burst`](Self::burst) that applies to no limit;
    /// - a burst above half of the period, for a limit that is [counted in
    ///   windows](Self::counting);
    /// - a headroom of 100 % or more;
    /// - an [`output`](Self::output) that is learned and could change nothing;
    /// - an [`overflow`](Self::overflow) without [`max_waiting`](Self::max_waiting);
    /// - a dimension with an empty name;
    /// - an `input_factor` below 0.01 or above 100.
    ///
    /// For a limiter that is shared through Redis also:
    ///
    /// - no name, or an empty one;
    /// - a manual clock;
    /// - more than 8 limits;
    /// - a limit so slow that its burst and its largest call together take more than 52 days to
    ///   flow back;
    /// - a URL or settings that cannot be used.
    pub fn build(self) -> Result<Limiter<K>, BuildError> {
        Ok(Limiter::built(Handle::Counted(self.build_core()?)))
    }

    /// Checks all options and builds the core.
    pub(super) fn build_core(self) -> Result<Arc<Core>, BuildError> {
        let name = self.name.clone().unwrap_or_else(|| self.path.clone());
        self.with_start().try_build(name.clone()).map_err(|problem| BuildError::new(name, problem))
    }

    fn try_build(self, name: Name) -> Result<Arc<Core>, BuildProblem> {
        let declared = self.declared();
        let meterings = declared.meterings()?;
        if self.output == Output::Learned && !self.limits.iter().any(|limit| self.counts_output(limit)) {
            return Err(BuildProblem::UnusedOutput);
        }
        self.pricing.check()?;
        let cap = self.cap()?;
        let time = match self.time {
            Some(time) => time,
            None if self.backend.has_clock() => Time::System,
            None => Time::detect(),
        };
        let max_hold = nanos(self.max_hold);
        let plan =
            Plan::new(name, self.limits, &meterings, self.refunds, self.pricing).raising(declared.raises);
        let given = self.name.filter(|name| !name.is_empty());
        let hold_times = HoldTimes::new(max_hold, given.as_deref(), &time);
        let (backend, driver) = self.backend.open(&Starting {
            name: given.as_deref(),
            limits: plan.limits(),
            meterings: &meterings,
            dimensions: plan.dimensions(),
            max_hold,
            on_system_time: matches!(time, Time::System),
        })?;
        // Half of the jitter. The other half is left to the network.
        let grace = nanos(self.jitter / 2);
        let learning = Learning::new(self.output, self.input, plan.token_limits(&meterings));
        let admission = Admission::new(backend, Queue::new(plan.width()), grace, max_hold)
            .learns(learning)
            .capped(cap)
            .widens(declared.widening());
        let jitter = least_lateness(&meterings);
        Ok(Core::new(Arc::new(plan), admission, driver, time, jitter, hold_times, declared))
    }

    fn declared(&self) -> Declared {
        Declared {
            limits: self.limits.clone(),
            burst: self.burst,
            jitter: self.jitter,
            headroom: self.headroom,
            counting: self.counting,
            raises: self.raises(),
        }
    }

    /// Checks the bound of the queue, and returns it.
    fn cap(&self) -> Result<Cap, BuildProblem> {
        match (self.max_waiting, self.overflow) {
            (None, None) => Ok(Cap::default()),
            (None, Some(_)) => Err(BuildProblem::UnusedOverflow),
            (Some(most), overflow) => Ok(Cap { most, overflow: overflow.unwrap_or_default() }),
        }
    }

    /// Returns true if what is learned about the output of a call can change what it takes.
    fn counts_output(&self, limit: &Limit) -> bool {
        match limit.dimension() {
            Dimension::OutputTokens => true,
            Dimension::Tokens => self.pricing.sums(),
            _ => false,
        }
    }
}
