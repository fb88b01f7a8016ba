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

    /// Nothing of each dimension.
    pub(crate) fn nothing(&self) -> Amounts {
        Amounts::zero(self.dimensions.len())
    }

    /// Reads a cost in this limiter's dimensions, if a call of it can ever be admitted. Into a place rather than
    /// by value: a fresh value that is copied at once costs as much as reading the clock.
    #[inline]
    pub(crate) fn resolve(&self, cost: &Cost, amounts: &mut Amounts) -> Result<(), AcquireError> {
        if cost.named() & !self.named != 0 || !cost.custom().is_empty() {
            self.check_dimensions(cost)?;
        }
        for (metered, slot) in self.dimensions.iter().zip(amounts.as_mut_slice()) {
            let amount = match metered.index {
                Some(index) => cost.amounts()[index],
                None => cost.amount(&metered.dimension),
            };
            if amount > metered.most {
                return Err(metered.too_large(amount));
            }
            *slot = amount;
        }
        Ok(())
    }

    /// For every dimension, how much more and how much less than `reserved` was used, where `usage` says.
    pub(crate) fn difference(&self, reserved: &Amounts, usage: &Usage) -> (Amounts, Amounts) {
        let (mut more, mut less) = (self.nothing(), self.nothing());
        for (dimension, metered) in self.dimensions.iter().enumerate() {
            let reserved = reserved.as_slice()[dimension];
            let used = usage.amount(&metered.dimension).unwrap_or(reserved);
            more.as_mut_slice()[dimension] = used.saturating_sub(reserved);
            if self.refunds {
                less.as_mut_slice()[dimension] = reserved.saturating_sub(used);
            }
        }
        (more, less)
    }

    /// Every dimension that somebody named must be limited.
    #[cold]
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

impl Metered {
    #[cold]
    fn too_large(&self, cost: u64) -> AcquireError {
        AcquireError::TooLarge { dimension: self.dimension.clone(), cost, limit: self.most }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // The timer may still be set for somebody who has left.
        self.time.disarm(self.id);
    }
}
