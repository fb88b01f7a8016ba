//! `Plans`: the plan of a limiter, which an update replaces, and its rank among those of stacks.
//!
//! Every call reads the name, the dimensions and the pricing, which never change. They are read
//! from the first plan, without a lock and without counting a reference. Only what an update may
//! change (the limits, and the largest call) is read from the latest plan, [`now`](Plans::now).
//! Calls that are admitted at once do not need it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use once_cell::race::OnceBox;
use parking_lot::RwLock;

use super::builder::Declared;
use super::meters::Meters;
use crate::admission::Plan;
use crate::backend::Starting;
use crate::limits::{Amounts, Cost};
use crate::queue::Grant;
use crate::time::{Dates, Time};

/// A plan, and what it follows from. The limiters of all keys share one, until an update. It derefs
/// to the plan.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) declared: Declared,
    /// The longest hold, in nanoseconds.
    pub(super) max_hold: u64,
    #[allow(dead_code, reason = "empty without the feature `metrics`")]
    pub(super) meters: Meters,
}

/// The first plan of a limiter, and the latest. It derefs to the first.
#[derive(Debug)]
pub(super) struct Plans {
    first: Arc<Planned>,
    later: OnceBox<Later>,
}

/// What comes later, if ever: an update, or a stack.
#[derive(Debug)]
struct Later {
    /// The latest plan, once there was an update.
    plan: RwLock<Option<Arc<Planned>>>,
    /// The place among the limiters of stacks; [`NO_RANK`] if it was never part of one.
    rank: AtomicI64,
}

/// Stands for no rank.
const NO_RANK: i64 = i64::MIN;

/// The latest plan.
pub(super) enum Latest<'a> {
    First(&'a Arc<Planned>),
    Updated(Arc<Planned>),
}

impl Plans {
    pub(super) fn new(first: Arc<Planned>) -> Self {
        Self { first, later: OnceBox::new() }
    }

    /// Returns the latest plan.
    #[inline]
    pub(super) fn now(&self) -> Latest<'_> {
        match self.updated() {
            None => Latest::First(&self.first),
            Some(plan) => Latest::Updated(plan),
        }
    }

    /// Creates the grant of a call of these amounts, whose charge has no number yet. `cost` says
    /// what the limiter can learn from it.
    pub(super) fn grant(&self, amounts: Amounts, cost: &Cost) -> Grant {
        Grant { lesson: self.lesson(cost), ..Grant::at_once(amounts, 0) }
    }

    /// Returns true if there was an update.
    pub(super) fn is_updated(&self) -> bool {
        self.updated().is_some()
    }

    fn updated(&self) -> Option<Arc<Planned>> {
        self.later.get()?.plan.read().clone()
    }

    /// Replaces the latest plan. Call it under the lock of the limiter's state, so that both change
    /// together.
    pub(super) fn replace(&self, planned: Planned) {
        *self.later().plan.write() = Some(Arc::new(planned));
    }

    /// Returns the place among the limiters of stacks, if it was ever part of one.
    pub(super) fn rank(&self) -> Option<i64> {
        Some(self.later.get()?.rank.load(Ordering::Relaxed)).filter(|rank| *rank != NO_RANK)
    }

    /// Sets the place among the limiters of stacks, for ever.
    pub(super) fn set_rank(&self, rank: i64) {
        self.later().rank.store(rank.max(NO_RANK + 1), Ordering::Relaxed);
    }

    fn later(&self) -> &Later {
        self.later.get_or_init(|| Box::new(Later { plan: RwLock::new(None), rank: AtomicI64::new(NO_RANK) }))
    }
}

impl Deref for Planned {
    type Target = Plan;

    #[inline]
    fn deref(&self) -> &Plan {
        &self.plan
    }
}

impl Deref for Plans {
    type Target = Planned;

    #[inline]
    fn deref(&self) -> &Planned {
        &self.first
    }
}

impl Latest<'_> {
    /// Returns a reference that keeps the plan.
    pub(super) fn shared(&self) -> Arc<Planned> {
        match self {
            Self::First(plan) => Arc::clone(plan),
            Self::Updated(plan) => Arc::clone(plan),
        }
    }
}

impl Deref for Latest<'_> {
    type Target = Planned;

    #[inline]
    fn deref(&self) -> &Planned {
        match self {
            Self::First(plan) => plan,
            Self::Updated(plan) => plan,
        }
    }
}

/// Returns what a backend has to know of a plan.
pub(super) fn starting<'a>(
    plan: &'a Plan,
    name: Option<&'a str>,
    max_hold: u64,
    time: &Time,
) -> Starting<'a> {
    Starting {
        name,
        limits: plan.limits(),
        meterings: plan.meterings(),
        dimensions: plan.dimensions(),
        reserve: plan.reserved(),
        max_hold,
        dates: Dates::Of(time.clone()),
        on_system_time: matches!(time, Time::System),
    }
}
