//! `Plans`: the plan of a limiter, which an update replaces.
//!
//! Every call reads the name, the dimensions and the pricing, which never change. They are read
//! from the first plan, without a lock and without counting a reference. Only what an update may
//! change (the limits, and the largest call) is read from the latest plan, [`now`](Plans::now).
//! Calls that are admitted at once do not need it.

use std::ops::Deref;
use std::sync::Arc;

use once_cell::sync::OnceCell;
use parking_lot::RwLock;

use crate::admission::Plan;

/// The first plan of a limiter, and the latest. It derefs to the first.
#[derive(Debug)]
pub(super) struct Plans {
    first: Arc<Plan>,
    /// The latest plan, once there was an update.
    latest: OnceCell<RwLock<Arc<Plan>>>,
}

/// The latest plan.
pub(super) enum Latest<'a> {
    First(&'a Arc<Plan>),
    Updated(Arc<Plan>),
}

impl Plans {
    pub(super) fn new(first: Arc<Plan>) -> Self {
        Self { first, latest: OnceCell::new() }
    }

    /// Returns the latest plan.
    #[inline]
    pub(super) fn now(&self) -> Latest<'_> {
        match self.latest.get() {
            None => Latest::First(&self.first),
            Some(latest) => Latest::Updated(Arc::clone(&latest.read())),
        }
    }

    /// Returns true if there was an update.
    pub(super) fn is_updated(&self) -> bool {
        self.latest.get().is_some()
    }

    /// Replaces the latest plan. Call it under the lock of the limiter's state, so that both change
    /// together.
    pub(super) fn replace(&self, plan: Plan) {
        let plan = Arc::new(plan);
        let latest = self.latest.get_or_init(|| RwLock::new(Arc::clone(&plan)));
        *latest.write() = plan;
    }
}

impl Deref for Plans {
    type Target = Plan;

    #[inline]
    fn deref(&self) -> &Plan {
        &self.first
    }
}

impl Latest<'_> {
    /// Returns a reference that keeps the plan.
    pub(super) fn shared(&self) -> Arc<Plan> {
        match self {
            Self::First(plan) => Arc::clone(plan),
            Self::Updated(plan) => Arc::clone(plan),
        }
    }
}

impl Deref for Latest<'_> {
    type Target = Plan;

    #[inline]
    fn deref(&self) -> &Plan {
        match self {
            Self::First(plan) => plan,
            Self::Updated(plan) => plan,
        }
    }
}
