//! `Plan`: everything about a limiter that never changes: its name, limits, dimensions and pricing.
//!
//! It also translates between the user's terms and the limiter's: a `Cost` into amounts by
//! dimension, and a refusal into an error. It is one immutable value, apart from the state that the
//! lock guards. So it is read without the lock, and it could be shared by many limiters. An update
//! of the limits replaces it as a whole.

use std::array;
use std::time::Duration;

use super::waiting::OnWait;
use crate::bucket::Metering;
use crate::error::{AcquireError, ParamsError};
use crate::learning::{LearnedLimit, Lesson, SiteId};
use crate::limits::{Amounts, Cost, Dimension, Limit, Name, Percent, Priority, Usage};
use crate::pricing::PriceOptions;
use crate::queue::{Grant, Refusal, Reserve};

/// The immutable part of a limiter.
///
/// The fields that every call reads come first, in one cache line.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Plan {
    /// The places of the limiter's dimensions in a `Cost`, if there are at most `Amounts::FEW` and
    /// none is custom or money, which a cost has to state. Places beyond the dimensions point to no
    /// amount.
    places: Option<[usize; Amounts::FEW]>,
    /// A bit for each of `Dimension::NAMED` that is metered. And [`Cost::HAS_SPEND`], and
    /// [`Cost::PRICED`] unless the limiter learns from such costs.
    named: u8,
    /// Whether settling gives back what was not used.
    refunds: bool,
    raises: Raises,
    /// Whether no call takes the quick way, because more than its amounts and its charge are to be
    /// known of it: its place among the calls in flight, or its priority.
    is_slow: bool,
    /// The part of every limit that is kept for a priority and those above it. If there is one,
    /// every limit has a second metering and every dimension a second place, for the share of the
    /// others.
    reserve: Option<(Priority, Percent)>,
    name: Name,
    limits: Box<[Limit]>,
    /// The metering of each limit, then that of each share.
    meterings: Box<[Metering]>,
    dimensions: Box<[Metered]>,
    /// The place of the dimension that each metering counts.
    metered_by: Box<[usize]>,
    pricing: PriceOptions,
    /// What to call when a long wait begins.
    on_wait: Option<OnWait>,
}

/// When a rate becomes faster than declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Raises {
    #[default]
    Never,
    /// When the provider says that it allows more.
    IfTold,
    /// Also while calls wait and the provider says nothing.
    IfNotRefused,
}

/// A dimension that the limiter meters, by one or more limits.
#[derive(Debug)]
struct Metered {
    dimension: Dimension,
    /// The most that one call may take: what the tightest limit allows.
    most: u64,
    /// The place of that limit.
    tightest: usize,
}

/// The shortest burst whose calls count as a crowd: one second. Even with a shorter burst, the
/// limit is about many calls.
const SHORTEST_CROWD: Duration = Duration::from_secs(1);

impl Plan {
    /// Creates a plan. Each limit has its metering at the same place.
    pub(crate) fn new(
        name: Name,
        limits: Vec<Limit>,
        meterings: &[Metering],
        refunds: bool,
        pricing: PriceOptions,
    ) -> Self {
        let mut dimensions: Vec<Metered> = Vec::new();
        let mut metered_by = Vec::new();
        for (at, (limit, metering)) in limits.iter().zip(meterings).enumerate() {
            let known = dimensions.iter().position(|known| known.dimension == *limit.dimension());
            let place = known.unwrap_or(dimensions.len());
            if known.is_none() {
                let dimension = limit.dimension().clone();
                dimensions.push(Metered { dimension, most: u64::MAX, tightest: at });
            }
            if metering.most < dimensions[place].most {
                (dimensions[place].most, dimensions[place].tightest) = (metering.most, at);
            }
            metered_by.push(place);
        }
        let indexes: Vec<_> = dimensions.iter().map(|known| known.dimension.index()).collect();
        let metered = indexes.iter().flatten().fold(0, |bits, index| bits | 1 << index);
        let counts_money = dimensions.iter().any(|known| known.dimension == Dimension::Spend);
        let learns = counts_money || dimensions.iter().any(|known| known.dimension.counts_tokens());
        let metered = metered | Cost::HAS_SPEND;
        let named = if learns { metered } else { metered | Cost::PRICED };
        let are_few = indexes.len() <= Amounts::FEW && indexes.iter().all(Option::is_some) && !counts_money;
        let place = |at| indexes.get(at).copied().flatten().unwrap_or(usize::MAX);
        Self {
            places: are_few.then(|| array::from_fn(place)),
            named,
            refunds,
            raises: Raises::default(),
            is_slow: false,
            reserve: None,
            name,
            limits: limits.into(),
            meterings: meterings.into(),
            dimensions: dimensions.into(),
            metered_by: metered_by.into(),
            pricing,
            on_wait: None,
        }
    }

    /// Returns the plan with other rates and bursts of the same limits. `meterings` are those of
    /// the limits alone.
    pub(crate) fn with_limits(&self, limits: Vec<Limit>, meterings: &[Metering]) -> Self {
        let (name, pricing) = (self.name.clone(), self.pricing.clone());
        let plan = Self::new(name, limits, meterings, self.refunds, pricing).raising(self.raises);
        let plan = match self.reserve {
            Some((priority, part)) => plan.reserving(priority, part),
            None => plan,
        };
        if self.is_slow { plan.bounding_in_flight() } else { plan }
    }

    /// Sets when rates become faster than declared.
    pub(crate) fn raising(self, raises: Raises) -> Self {
        Self { raises, ..self }
    }

    /// Notes that the number of calls in flight is limited. Then no call takes the quick way.
    pub(crate) fn bounding_in_flight(self) -> Self {
        Self { places: None, is_slow: true, ..self }
    }

    /// Sets what to call when a long wait begins.
    pub(crate) fn telling(self, on_wait: Option<OnWait>) -> Self {
        Self { on_wait, ..self }
    }

    /// Returns what to call when a long wait begins.
    pub(crate) fn on_wait(&self) -> Option<&OnWait> {
        self.on_wait.as_ref()
    }

    /// Keeps so many percent of every limit for a priority and those above it.
    pub(crate) fn reserving(self, priority: Priority, Percent(percent): Percent) -> Self {
        let shares = self.meterings.iter().map(|metering| metering.share(100 - percent));
        let places = self.metered_by.iter().map(|place| place + self.dimensions.len());
        Self {
            places: None,
            is_slow: true,
            reserve: Some((priority, Percent(percent))),
            meterings: self.meterings.iter().copied().chain(shares).collect(),
            metered_by: self.metered_by.iter().copied().chain(places).collect(),
            ..self
        }
    }

    /// Returns the priorities for which a part of every limit is kept.
    pub(crate) fn reserve(&self) -> Reserve {
        self.reserve.map_or_else(Reserve::default, |(priority, _)| Reserve::from(priority))
    }

    /// Returns the part of every limit that is kept, and the lowest priority that it is kept for.
    pub(crate) fn reserved(&self) -> Option<(Priority, Percent)> {
        self.reserve
    }

    /// Returns when rates become faster than declared.
    pub(crate) fn raises(&self) -> Raises {
        self.raises
    }

    /// Returns the amount to go by if the provider allows `amount` of a limit.
    pub(crate) fn raised(&self, amount: u64, declared: u64) -> u64 {
        if self.raises > Raises::Never { amount } else { amount.min(declared) }
    }

    /// Returns the limiter's name.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the options by which requests are priced.
    #[inline]
    pub(crate) fn pricing(&self) -> &PriceOptions {
        &self.pricing
    }

    /// Returns the limits in the order of their declaration.
    pub(crate) fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Returns the metering of each limit, then that of each share.
    pub(crate) fn meterings(&self) -> &[Metering] {
        &self.meterings
    }

    /// Returns the place of the dimension that each metering counts.
    pub(crate) fn dimensions(&self) -> &[usize] {
        &self.metered_by
    }

    /// Returns the limits on tokens and on what they cost, with the metering of each limit.
    pub(crate) fn learned_limits(&self, meterings: &[Metering]) -> Vec<LearnedLimit> {
        let limits = self.limits.iter().zip(meterings).enumerate();
        let follows =
            |limit: &Limit| limit.dimension().counts_tokens() || *limit.dimension() == Dimension::Spend;
        let followers = limits.filter(|(_, (limit, _))| follows(limit));
        let limit = |(limit, (of, metering)): (usize, (&Limit, &Metering))| LearnedLimit {
            dimension: of.dimension().clone(),
            limit,
            place: self.metered_by[limit],
            rate: metering.rate,
            crowd: metering.burst.max(SHORTEST_CROWD),
            most: self.dimensions[self.metered_by[limit]].most,
        };
        followers.map(limit).collect()
    }

    /// Returns the number of dimensions that are metered, those of shares included.
    pub(crate) fn width(&self) -> usize {
        self.dimensions.len() * if self.reserve.is_some() { 2 } else { 1 }
    }

    /// Reads a cost in this limiter's dimensions, if they are few and the cost names no others, and
    /// if the limiter does not learn from it. It does not check whether the call is too large.
    ///
    /// This is the quick way, which nearly every call takes.
    #[inline]
    pub(crate) fn resolve_few(&self, cost: &Cost) -> Option<[u64; Amounts::FEW]> {
        let known = cost.named() & !self.named == 0 && cost.custom().is_empty();
        self.places.filter(|_| known).map(|places| places.map(|place| cost.place(place)))
    }

    /// Reads any cost in this limiter's dimensions.
    ///
    /// # Errors
    /// The cost names a dimension that is not metered, is larger than a limit allows, or states no
    /// money although that is limited.
    pub(crate) fn resolve(&self, cost: &Cost) -> Result<Amounts, AcquireError> {
        let amounts = self.resolve_any_size(cost)?;
        self.too_large(amounts.as_slice()).map_or(Ok(amounts), Err)
    }

    /// Reads a cost of any size in this limiter's dimensions.
    ///
    /// # Errors
    /// The cost names a dimension that is not metered.
    pub(crate) fn resolve_any_size(&self, cost: &Cost) -> Result<Amounts, AcquireError> {
        if let Some(dimension) = self.unknown(cost).next() {
            let limiter = self.name.clone();
            return Err(AcquireError::UnknownDimension { dimension: dimension.clone(), limiter });
        }
        self.check_spend(cost)?;
        Ok(self.known(cost))
    }

    /// Reads what a cost says of this limiter's dimensions.
    pub(crate) fn known(&self, cost: &Cost) -> Amounts {
        let mut amounts = self.nothing();
        for (metered, amount) in self.dimensions.iter().zip(amounts.as_mut_slice()) {
            *amount = cost.amount(&metered.dimension);
        }
        amounts
    }

    /// Returns what the limiter learns from a call of this cost, if it was read from a request. Its
    /// site is to be named.
    pub(crate) fn lesson(&self, cost: &Cost) -> Option<Box<Lesson>> {
        let priced = cost.priced().filter(|_| self.named & Cost::PRICED == 0)?;
        Some(Box::new(Lesson { priced, site: SiteId::default() }))
    }

    /// Returns the cost that amounts in this limiter's dimensions stand for.
    pub(crate) fn cost(&self, amounts: &Amounts) -> Cost {
        let taken = self.dimensions.iter().zip(amounts.as_slice());
        taken.fold(Cost::new(), |cost, (metered, amount)| cost.with(metered.dimension.clone(), *amount))
    }

    /// Returns the dimensions with their amounts.
    #[allow(dead_code, reason = "for events and metrics")]
    pub(crate) fn by_dimension<'a>(
        &'a self,
        amounts: &'a Amounts,
    ) -> impl Iterator<Item = (&'a Dimension, u64)> {
        let dimensions = self.dimensions.iter().map(|metered| &metered.dimension);
        dimensions.zip(amounts.as_slice().iter().copied())
    }

    /// Returns what a call used. What `usage` does not name is taken as reserved.
    #[allow(dead_code, reason = "for events and metrics")]
    pub(crate) fn used(&self, reserved: &Amounts, usage: &Usage) -> Amounts {
        let mut used = reserved.clone();
        for (metered, amount) in self.dimensions.iter().zip(used.as_mut_slice()) {
            *amount = usage.amount(&metered.dimension).unwrap_or(*amount);
        }
        used
    }

    /// Returns the refusal of a call that could never be admitted.
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

    /// Refuses a call that would have to wait for so many nanoseconds and may not, or that could
    /// never be admitted.
    ///
    /// It returns the caller's own result, so that the error is written where the caller reads it.
    #[cold]
    #[inline(never)]
    pub(crate) fn would_wait<T>(
        &self,
        amounts: &[u64],
        (wait, limit): (u64, usize),
    ) -> Result<T, AcquireError> {
        if let Some(error) = self.too_large(amounts) {
            return Err(error);
        }
        Err(self.missing(wait, limit))
    }

    /// Returns by how much `usage` is above and below what a call has reserved, in each dimension
    /// that it names. The second is zero if the limiter gives nothing back.
    pub(crate) fn difference(&self, grant: &Grant, usage: &Usage) -> (Amounts, Amounts) {
        let (mut more, mut less) = (self.nothing(), self.nothing());
        for (dimension, metered) in self.dimensions.iter().enumerate() {
            let reserved = grant.amounts.as_slice()[dimension];
            let used = usage.amount(&metered.dimension).unwrap_or(reserved);
            more.as_mut_slice()[dimension] = used.saturating_sub(reserved);
            // What the provider counts does not matter to money.
            if self.refunds || metered.dimension == Dimension::Spend {
                less.as_mut_slice()[dimension] = reserved.saturating_sub(used);
            }
        }
        if grant.is_below {
            let dimensions = self.dimensions.len();
            [&mut more, &mut less].into_iter().for_each(|amounts| amounts.repeat(dimensions));
        }
        (more, less)
    }

    /// Returns the error that a refused caller gets.
    #[cold]
    pub(crate) fn error(&self, refusal: Refusal) -> AcquireError {
        match refusal {
            Refusal::TimedOut { timeout, waited, wait, limit } => AcquireError::Timeout {
                timeout: Duration::from_nanos(timeout),
                waited: Duration::from_nanos(waited),
                wait: Duration::from_nanos(wait),
                limit: self.limits[limit].clone(),
                limiter: self.name.clone(),
            },
            Refusal::WouldWait { wait, limit } => self.missing(wait, limit),
            Refusal::InFlight { calls, most, waited } => AcquireError::TooManyInFlight {
                calls,
                most,
                waited: Duration::from_nanos(waited),
                limiter: self.name.clone(),
            },
            Refusal::QueueFull { waiting, waited, wait } => AcquireError::QueueFull {
                waiting,
                waited: Duration::from_nanos(waited),
                wait: Duration::from_nanos(wait),
                limiter: self.name.clone(),
            },
            // Only the limiter knows the reason.
            Refusal::Exhausted { until } => AcquireError::Exhausted {
                until: Duration::from_nanos(until),
                reason: "a quota is used up".into(),
                limiter: self.name.clone(),
            },
            Refusal::Undecided { waited, error } => AcquireError::Store {
                limiter: self.name.clone(),
                waited: Duration::from_nanos(waited),
                error,
            },
            Refusal::Closed => AcquireError::Closed { limiter: self.name.clone() },
            Refusal::TooLarge(error) => *error,
        }
    }

    /// Returns the error of a call that may not wait and lacks so many nanoseconds of a limit.
    #[inline(always)]
    fn missing(&self, wait: u64, limit: usize) -> AcquireError {
        AcquireError::WouldWait {
            wait: Duration::from_nanos(wait),
            limit: self.limits[limit].clone(),
            limiter: self.name.clone(),
        }
    }

    /// Returns the error of params that cannot be priced.
    #[cold]
    #[inline(never)]
    pub(crate) fn unpriced(&self, error: ParamsError) -> AcquireError {
        AcquireError::Params { limiter: self.name.clone(), error }
    }

    fn nothing(&self) -> Amounts {
        Amounts::zero(self.width())
    }

    /// Checks that the cost states what the call costs in money, if that is limited. Otherwise the
    /// call would be free.
    pub(crate) fn check_spend(&self, cost: &Cost) -> Result<(), AcquireError> {
        let counts_money = self.dimensions.iter().any(|metered| metered.dimension == Dimension::Spend);
        if !counts_money || cost.named() & Cost::HAS_SPEND != 0 {
            return Ok(());
        }
        let problem = "expected what the call costs in dollars, because the limiter limits it; set `price` or \
                       `prices`, which price requests, or name it: `Cost::new().spend(Dollars::from_cents(2))`";
        Err(self.unpriced(ParamsError::new("spend", problem)))
    }

    /// Returns the dimensions that the user named and that are not metered.
    pub(crate) fn unknown<'a>(&self, cost: &'a Cost) -> impl Iterator<Item = &'a Dimension> + use<'a, '_> {
        let named = Dimension::NAMED.iter().enumerate();
        let named =
            named.filter(|(index, _)| cost.named() & (1 << index) != 0).map(|(_, dimension)| dimension);
        let custom = cost.custom().iter().map(|(dimension, _)| dimension);
        named.chain(custom).filter(|dimension| !self.meters(dimension))
    }

    /// Returns true if it meters a dimension. A limiter without limits, which only tests have,
    /// admits whatever a cost names.
    pub(crate) fn meters(&self, dimension: &Dimension) -> bool {
        self.dimensions.is_empty() || self.dimensions.iter().any(|metered| metered.dimension == *dimension)
    }

    /// Returns true if it meters nothing but requests.
    #[cfg(feature = "tokenizers")]
    pub(crate) fn meters_only_requests(&self) -> bool {
        self.dimensions.iter().all(|metered| metered.dimension == Dimension::Requests)
    }
}
