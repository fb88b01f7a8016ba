//! Translates costs and usage into the amounts of a limiter's dimensions, and back.

use super::plan::Plan;
use crate::error::{AcquireError, ParamsError};
use crate::limits::{Amounts, Cost, Dimension, Usage};
use crate::queue::Grant;

impl Plan {
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
}
