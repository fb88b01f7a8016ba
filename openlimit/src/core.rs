//! `Core`: what the handles of one limiter share, and how a `Cost` reads in its dimensions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::admission::{Admission, Meter};
use crate::amounts::Amounts;
use crate::bucket::Bucket;
use crate::kind::Pricing;
use crate::sync::Mutex;
use crate::time::Time;
use crate::{AcquireError, Cost, Dimension, Limit, Usage};

pub(crate) struct Core {
    id: u64,
    name: Arc<str>,
    limits: Arc<[Limit]>,
    dimensions: Box<[Metered]>,
    /// A bit for each of `Dimension::NAMED` that is limited.
    named: u8,
    refunds: bool,
    pricing: Pricing,
    pub(crate) time: Time,
    pub(crate) state: Mutex<State>,
}

/// What the lock guards.
pub(crate) struct State {
    pub(crate) admission: Admission,
    /// When the timer will fire; the largest value if it will not.
    pub(crate) armed: u64,
}

/// A dimension that the limiter meters.
struct Metered {
    dimension: Dimension,
    /// Where a `Cost` keeps it, for the dimensions with a name of their own.
    index: Option<usize>,
    /// The most that one call may take.
    most: u64,
}

impl Core {
    pub(crate) fn new(
        name: Arc<str>,
        limits: Vec<Limit>,
        buckets: Vec<Bucket>,
        jitter: Duration,
        refunds: bool,
        pricing: Pricing,
        time: Time,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let limits: Arc<[Limit]> = limits.into();
        let mut dimensions: Vec<Metered> = Vec::new();
        let meters = limits.iter().zip(buckets).map(|(limit, bucket)| {
            let known = dimensions.iter().position(|known| known.dimension == *limit.dimension());
            let dimension = known.unwrap_or_else(|| {
                let dimension = limit.dimension().clone();
                dimensions.push(Metered { index: dimension.index(), dimension, most: u64::MAX });
                dimensions.len() - 1
            });
            dimensions[dimension].most = dimensions[dimension].most.min(bucket.most());
            Meter { dimension, bucket }
        });
        let meters = meters.collect();
        let named =
            dimensions.iter().filter_map(|known| known.index).fold(0, |bits, index| bits | 1 << index);
        let admission = Admission::new(meters, Arc::clone(&limits), jitter);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name,
            limits,
            dimensions: dimensions.into(),
            named,
            refunds,
            pricing,
            time,
            state: Mutex::new(State { admission, armed: u64::MAX }),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn limits(&self) -> &[Limit] {
        &self.limits
    }

    pub(crate) fn pricing(&self) -> Pricing {
        self.pricing
    }

    /// A cost in this limiter's dimensions, if a call of it can ever be admitted.
    pub(crate) fn resolve(&self, cost: &Cost) -> Result<Amounts, AcquireError> {
        if cost.named() & !self.named != 0 || !cost.custom().is_empty() {
            self.check_dimensions(cost)?;
        }
        let amounts = Amounts::from_fn(self.dimensions.len(), |dimension| {
            let metered = &self.dimensions[dimension];
            metered.index.map_or_else(|| cost.amount(&metered.dimension), |index| cost.amounts()[index])
        });
        for (metered, amount) in self.dimensions.iter().zip(amounts.as_slice()) {
            if *amount > metered.most {
                let dimension = metered.dimension.clone();
                return Err(AcquireError::TooLarge { dimension, cost: *amount, limit: metered.most });
            }
        }
        Ok(amounts)
    }

    /// For every dimension, how much more and how much less than `reserved` was used, where `usage` says.
    pub(crate) fn difference(&self, reserved: &Amounts, usage: &Usage) -> (Amounts, Amounts) {
        let used = |dimension: usize| usage.amount(&self.dimensions[dimension].dimension);
        let reserved = |dimension: usize| reserved.as_slice()[dimension];
        let count = self.dimensions.len();
        let more = Amounts::from_fn(count, |dimension| {
            used(dimension).map_or(0, |used| used.saturating_sub(reserved(dimension)))
        });
        let less = Amounts::from_fn(count, |dimension| match used(dimension) {
            Some(used) if self.refunds => reserved(dimension).saturating_sub(used),
            _ => 0,
        });
        (more, less)
    }

    /// Every dimension that somebody named must be limited.
    fn check_dimensions(&self, cost: &Cost) -> Result<(), AcquireError> {
        let named = Dimension::NAMED.iter().enumerate();
        let named =
            named.filter(|(index, _)| cost.named() & (1 << index) != 0).map(|(_, dimension)| dimension);
        let custom = cost.custom().iter().map(|(dimension, _)| dimension);
        for dimension in named.chain(custom) {
            if !self.dimensions.iter().any(|metered| metered.dimension == *dimension) {
                let limiter = Arc::clone(&self.name);
                return Err(AcquireError::UnknownDimension { dimension: dimension.clone(), limiter });
            }
        }
        Ok(())
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // The timer may still be set for somebody who has left.
        self.time.disarm(self.id);
    }
}
