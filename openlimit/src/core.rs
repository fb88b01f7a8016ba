//! `Core`: what the handles of one limiter share, and how a `Cost` reads in its dimensions.

use std::array;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::admission::{Admission, Meter};
use crate::amounts::Amounts;
use crate::bucket::Bucket;
use crate::pricing::PriceOptions;
use crate::sync::Mutex;
use crate::time::Time;
use crate::{AcquireError, Cost, Dimension, Limit, Name, Usage};
#[cfg(feature = "redis")]
use {
    crate::builder::shared::Share,
    crate::redis::{Session, Shared},
};

pub(crate) struct Core {
    id: u64,
    name: Name,
    limits: Arc<[Limit]>,
    /// Where each of them stands, in the order of their declaration.
    declared: Box<[usize]>,
    dimensions: Box<[Metered]>,
    /// A bit for each of `Dimension::NAMED` that is limited.
    named: u8,
    /// Where a `Cost` keeps the amounts of the dimensions, if they are few and all have a name of their own.
    /// Beyond the dimensions: nowhere.
    places: Option<[usize; Amounts::FEW]>,
    refunds: bool,
    pricing: PriceOptions,
    pub(crate) time: Time,
    /// How long the timer rests after it fired, in nanoseconds.
    pub(crate) rest: u64,
    /// Who carries its batches, if it is shared.
    #[cfg(feature = "redis")]
    pub(crate) session: Option<crate::redis::Session>,
    pub(crate) state: Line<Mutex<State>>,
}

/// Begins a cache line.
#[repr(align(64))]
pub(crate) struct Line<T>(T);

impl<T> Deref for Line<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// What the lock guards.
#[repr(C)]
pub(crate) struct State {
    pub(crate) admission: Admission,
    /// When the timer will fire; the largest value if it will not.
    pub(crate) armed: u64,
    /// When it may fire again: those who become due soon after one another are admitted together.
    pub(crate) rested: u64,
}

/// A dimension that the limiter meters.
struct Metered {
    dimension: Dimension,
    /// Where a `Cost` keeps it, for the dimensions with a name of their own.
    index: Option<usize>,
    /// The most that one call may take.
    most: u64,
    /// The limit that allows no more, by its place in the limiter.
    tightest: usize,
}

impl Core {
    pub(crate) fn new(
        name: Name,
        limits: Vec<Limit>,
        buckets: Vec<Bucket>,
        jitter: Duration,
        refunds: bool,
        pricing: PriceOptions,
        time: Time,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let limits: Arc<[Limit]> = limits.into();
        let kept_back = buckets.iter().map(Bucket::kept_back).min().unwrap_or(0);
        let mut dimensions: Vec<Metered> = Vec::new();
        let meters = limits.iter().zip(buckets).enumerate().map(|(at, (limit, bucket))| {
            let known = dimensions.iter().position(|known| known.dimension == *limit.dimension());
            let dimension = known.unwrap_or_else(|| {
                let dimension = limit.dimension().clone();
                dimensions.push(Metered {
                    index: dimension.index(),
                    dimension,
                    most: u64::MAX,
                    tightest: at,
                });
                dimensions.len() - 1
            });
            if bucket.most() < dimensions[dimension].most {
                (dimensions[dimension].most, dimensions[dimension].tightest) = (bucket.most(), at);
            }
            Meter { dimension, bucket }
        });
        let meters = meters.collect();
        let named =
            dimensions.iter().filter_map(|known| known.index).fold(0, |bits, index| bits | 1 << index);
        let rest = time.rest(kept_back);
        let places = (dimensions.len() <= Amounts::FEW
            && dimensions.iter().all(|known| known.index.is_some()))
        .then(|| array::from_fn(|at| dimensions.get(at).and_then(|known| known.index).unwrap_or(usize::MAX)));
        let admission = Admission::new(meters, Arc::clone(&limits), name.clone(), jitter);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name,
            declared: (0..limits.len()).collect(),
            limits,
            dimensions: dimensions.into(),
            named,
            places,
            refunds,
            pricing,
            time,
            rest,
            #[cfg(feature = "redis")]
            session: None,
            state: Line(Mutex::new(State { admission, armed: u64::MAX, rested: 0 })),
        }
    }

    /// Leaves the decisions to buckets in Redis. The limits are in the order of those, and `declared` says where each of them
    /// stands, in the order of their declaration.
    #[cfg(feature = "redis")]
    pub(crate) fn shared(mut self, share: Share, declared: Box<[usize]>) -> Self {
        let session = Session::new(share.settings);
        let of =
            |limit: &Limit| self.dimensions.iter().position(|known| known.dimension == *limit.dimension());
        let dimensions = self.limits.iter().filter_map(of).collect();
        let shared = Shared::new(dimensions, share.scales, share.terms, session.call(), session.server());
        self.state.lock().admission.share(shared);
        self.session = Some(session);
        self.declared = declared;
        self
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    pub(crate) fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Where each limit stands, in the order of their declaration.
    pub(crate) fn declared(&self) -> &[usize] {
        &self.declared
    }

    #[inline]
    pub(crate) fn pricing(&self) -> &PriceOptions {
        &self.pricing
    }

    /// Nothing of each dimension.
    pub(crate) fn nothing(&self) -> Amounts {
        Amounts::zero(self.dimensions.len())
    }

    /// Reads a cost in this limiter's dimensions, if they are few and the cost names no others.
    #[inline]
    pub(crate) fn resolve_few(&self, cost: &Cost) -> Option<[u64; Amounts::FEW]> {
        let known = cost.named() & !self.named == 0 && cost.custom().is_empty();
        self.places.filter(|_| known).map(|places| places.map(|place| cost.place(place)))
    }

    /// Reads a cost in this limiter's dimensions, if a call of it can ever be admitted.
    pub(crate) fn resolve(&self, cost: &Cost) -> Result<Amounts, AcquireError> {
        self.check_dimensions(cost)?;
        let mut amounts = self.nothing();
        for (metered, amount) in self.dimensions.iter().zip(amounts.as_mut_slice()) {
            *amount = cost.amount(&metered.dimension);
        }
        self.too_large(amounts.as_slice()).map_or(Ok(amounts), Err)
    }

    /// Admits a call now, if nobody waits and every limit has room, and numbers its charge.
    ///
    /// What every call runs through, in one piece: its parts are inlined, and it is not, so that its arguments and
    /// its result travel in registers.
    #[inline(never)]
    pub(crate) fn take(&self, amounts: &[u64; Amounts::FEW]) -> Option<u64> {
        // The clock is read outside of the lock.
        let now = self.time.now();
        self.state.lock().admission.take(amounts, now)
    }

    /// The same, or how long the call would have to wait, and the limit that asks for it.
    #[inline(never)]
    pub(crate) fn take_or_look(&self, amounts: &[u64; Amounts::FEW]) -> Result<u64, (u64, usize)> {
        let now = self.time.now();
        let admission = &mut self.state.lock().admission;
        match admission.take(amounts, now) {
            Some(charge) => Ok(charge),
            None => Err(admission.wait(amounts, now)),
        }
    }

    /// The refusal of a call that would have to wait, or that could never be admitted.
    #[inline(never)]
    pub(crate) fn would_wait<T>(
        &self,
        amounts: &[u64],
        (wait, limit): (u64, usize),
    ) -> Result<T, AcquireError> {
        if let Some(error) = self.too_large(amounts) {
            return Err(error);
        }
        let (wait, limit) = (Duration::from_nanos(wait), self.limits[limit].clone());
        Err(AcquireError::WouldWait { wait, limit, limiter: self.name.clone() })
    }

    /// The refusal of a call that could never be admitted.
    pub(crate) fn too_large(&self, amounts: &[u64]) -> Option<AcquireError> {
        let mut metered = self.dimensions.iter().zip(amounts);
        let (metered, cost) = metered.find(|(metered, cost)| **cost > metered.most)?;
        Some(AcquireError::TooLarge {
            dimension: metered.dimension.clone(),
            cost: *cost,
            most: metered.most,
            limit: self.limits[metered.tightest].clone(),
            limiter: self.name.clone(),
        })
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
    fn check_dimensions(&self, cost: &Cost) -> Result<(), AcquireError> {
        let named = Dimension::NAMED.iter().enumerate();
        let named =
            named.filter(|(index, _)| cost.named() & (1 << index) != 0).map(|(_, dimension)| dimension);
        let custom = cost.custom().iter().map(|(dimension, _)| dimension);
        for dimension in named.chain(custom) {
            if !self.dimensions.iter().any(|metered| metered.dimension == *dimension) {
                let limiter = self.name.clone();
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
        #[cfg(feature = "redis")]
        if let Some(session) = &self.session
            && let Some(shared) = self.state.lock().admission.shared.take()
        {
            session.leave(shared);
        }
    }
}
