//! `Plan`: everything about a limiter that never changes: its name, limits, dimensions and pricing.
//!
//! It also translates between the user's terms and the limiter's: a `Cost` into amounts by
//! dimension (`costs`), and a refusal into an error (`errors`). It is one immutable value, apart
//! from the state that the lock guards. So it is read without the lock, and it could be shared by
//! many limiters. An update of the limits replaces it as a whole.

use std::array;
use std::time::Duration;

use super::waiting::OnWait;
use crate::bucket::Metering;
use crate::learning::{LearnedLimit, Lesson, SiteId};
use crate::limits::{Amounts, Cost, Dimension, Limit, Name, Percent, Priority};
use crate::pricing::PriceOptions;
use crate::queue::Reserve;

/// The immutable part of a limiter.
///
/// The fields that every call reads come first, in one cache line.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Plan {
    /// The places of the limiter's dimensions in a `Cost`, if there are at most `Amounts::FEW` and
    /// none is custom or money, which a cost has to state. Places beyond the dimensions point to no
    /// amount.
    pub(super) places: Option<[usize; Amounts::FEW]>,
    /// A bit for each of `Dimension::NAMED` that is metered. And [`Cost::HAS_SPEND`], and
    /// [`Cost::PRICED`] unless the limiter learns from such costs.
    pub(super) named: u8,
    /// Whether settling gives back what was not used.
    pub(super) refunds: bool,
    raises: Raises,
    /// Whether no call takes the quick way, because more than its amounts and its charge are to be
    /// known of it: its place among the calls in flight, or its priority.
    is_slow: bool,
    /// The part of every limit that is kept for a priority and those above it. If there is one,
    /// every limit has a second metering and every dimension a second place, for the share of the
    /// others.
    reserve: Option<(Priority, Percent)>,
    pub(super) name: Name,
    pub(super) limits: Box<[Limit]>,
    /// The metering of each limit, then that of each share.
    meterings: Box<[Metering]>,
    pub(super) dimensions: Box<[Metered]>,
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
pub(super) struct Metered {
    pub(super) dimension: Dimension,
    /// The most that one call may take: what the tightest limit allows.
    pub(super) most: u64,
    /// The place of that limit.
    pub(super) tightest: usize,
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

    /// Returns what the limiter learns from a call of this cost, if it was read from a request. Its
    /// site is to be named.
    pub(crate) fn lesson(&self, cost: &Cost) -> Option<Box<Lesson>> {
        let priced = cost.priced().filter(|_| self.named & Cost::PRICED == 0)?;
        Some(Box::new(Lesson { priced, site: SiteId::default() }))
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
