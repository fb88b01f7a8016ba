//! `Levels`: several limiters, each of which prices a call in its own way.

use std::borrow::Borrow;
use std::ptr;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

#[cfg(feature = "clients")]
use super::super::RateLimiter;
use super::super::core::Handle;
use super::super::limiter::{Limiter, unbuilt};
use super::level::Level;
use crate::error::{AcquireError, BuildError, BuildProblem};
use crate::limits::{Amounts, Cost};
use crate::pricing::kind::Price;
use crate::queue::Grant;

/// A limiter, or a pointer to one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an openlimit limiter",
    label = "not a limiter",
    note = "`limiter = ..` takes a limiter of openlimit, such as a `ChatRateLimiter`, or a pointer to one"
)]
pub trait AsLimiter {
    /// The kind of the limiter, which decides how it prices requests.
    type Kind;

    /// Returns the limiter.
    fn as_limiter(&self) -> &Limiter<Self::Kind>;
}

impl<K> AsLimiter for Limiter<K> {
    type Kind = K;

    fn as_limiter(&self) -> &Limiter<K> {
        self
    }
}

macro_rules! through_pointer {
    ($($pointer:ty),+) => {$(
        impl<L: AsLimiter + ?Sized> AsLimiter for $pointer {
            type Kind = L::Kind;

            fn as_limiter(&self) -> &Limiter<L::Kind> {
                (**self).as_limiter()
            }
        }
    )+};
}

through_pointer!(&L, &mut L, Box<L>, Rc<L>, Arc<L>);

impl<L: AsLimiter> AsLimiter for LazyLock<L> {
    type Kind = L::Kind;

    fn as_limiter(&self) -> &Limiter<L::Kind> {
        (**self).as_limiter()
    }
}

impl<L: AsLimiter> AsLimiter for once_cell::sync::Lazy<L> {
    type Kind = L::Kind;

    fn as_limiter(&self) -> &Limiter<L::Kind> {
        (**self).as_limiter()
    }
}

/// Several limiters that can price a `P`: a tuple of up to four, or an array, a slice or a `Vec` of
/// one type. Each is a limiter or a pointer to one.
#[diagnostic::on_unimplemented(
    message = "these limiters cannot all price `{P}`",
    note = "a stack is a tuple of two to four limiters, or an array of limiters of one type",
    note = "each of them has to price the call: a limiter of another kind than the request takes only a `Cost` or a \
            number of tokens"
)]
pub trait Levels<P> {
    /// Prices a call in each of the limiters.
    #[doc(hidden)]
    fn levels(&self, price: &P) -> Result<Box<[Level]>, AcquireError>;
}

macro_rules! tuples {
    ($(($($limiter:ident $place:tt),+))+) => {$(
        impl<P, $($limiter),+> Levels<P> for ($($limiter,)+)
        where
            $($limiter: AsLimiter, P: Price<$limiter::Kind>,)+
        {
            fn levels(&self, price: &P) -> Result<Box<[Level]>, AcquireError> {
                levels(&[$(priced(self.$place.as_limiter(), price)?),+])
            }
        }
    )+};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
}

impl<P: Price<L::Kind>, L: AsLimiter> Levels<P> for [L] {
    fn levels(&self, price: &P) -> Result<Box<[Level]>, AcquireError> {
        let costs: Result<Vec<_>, _> = self.iter().map(|level| priced(level.as_limiter(), price)).collect();
        levels(&costs?)
    }
}

impl<P: Price<L::Kind>, L: AsLimiter, const N: usize> Levels<P> for [L; N] {
    fn levels(&self, price: &P) -> Result<Box<[Level]>, AcquireError> {
        self.as_slice().levels(price)
    }
}

impl<P: Price<L::Kind>, L: AsLimiter> Levels<P> for Vec<L> {
    fn levels(&self, price: &P) -> Result<Box<[Level]>, AcquireError> {
        self.as_slice().levels(price)
    }
}

impl<P, L: Levels<P> + ?Sized> Levels<P> for &L {
    fn levels(&self, price: &P) -> Result<Box<[Level]>, AcquireError> {
        (**self).levels(price)
    }
}

/// A call as one limiter prices it.
struct Priced<'a> {
    handle: &'a Handle,
    /// Its amounts, or its whole cost if that takes more than the quick way.
    cost: Result<[u64; Amounts::FEW], Cost>,
}

/// Returns the levels of limiters that a call costs something else each.
#[cfg(feature = "clients")]
pub(super) fn levels_of_each(costs: &[(&RateLimiter, Cost)]) -> Result<Box<[Level]>, AcquireError> {
    let priced: Result<Vec<_>, _> = costs.iter().map(|(limiter, cost)| priced(limiter, cost)).collect();
    levels(&priced?)
}

fn priced<'a, K>(limiter: &'a Limiter<K>, price: &impl Price<K>) -> Result<Priced<'a>, AcquireError> {
    let handle = limiter.handle().map_err(unbuilt)?;
    let plan = &handle.core().plan;
    let cost = price.cost(plan.pricing()).map_err(|error| plan.unpriced(error))?;
    let cost = cost.borrow();
    Ok(Priced { handle, cost: plan.resolve_few(cost).ok_or_else(|| cost.clone()) })
}

/// Reads a cost in the dimensions of each limiter. A limiter that is named again counts once.
fn levels(priced: &[Priced<'_>]) -> Result<Box<[Level]>, AcquireError> {
    if priced.is_empty() {
        return Err(unbuilt(&BuildError::new("stack".into(), BuildProblem::NoLimits)));
    }
    let mut levels = Vec::with_capacity(priced.len());
    for (place, Priced { handle, cost }) in priced.iter().enumerate() {
        let is_same = |before: &Priced<'_>| ptr::eq(before.handle.core(), handle.core());
        if priced[..place].iter().any(is_same) {
            continue;
        }
        let grant = match cost {
            Ok(few) => Grant::at_once(Amounts::Few(*few), 0),
            Err(cost) => read(priced, place, cost)?,
        };
        levels.push(Level::new((*handle).clone(), grant));
    }
    Ok(levels.into())
}

/// Reads any cost. A dimension that this limiter does not meter has to be metered by another one.
fn read(all: &[Priced<'_>], place: usize, cost: &Cost) -> Result<Grant, AcquireError> {
    let plan = &all[place].handle.core().plan;
    for dimension in plan.unknown(cost) {
        if !all.iter().any(|other| other.handle.core().plan.meters(dimension)) {
            let limiter = plan.name().clone();
            return Err(AcquireError::UnknownDimension { dimension: dimension.clone(), limiter });
        }
    }
    plan.check_spend(cost)?;
    Ok(plan.grant(plan.known(cost), cost))
}
