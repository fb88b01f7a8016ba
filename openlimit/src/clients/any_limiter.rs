//! `AnyLimiter`: what admits a request, whatever its kind: a limiter, or several.
//!
//! A program may send all its requests through one client, and limit each model by another limiter.
//! So what chooses among limiters needs one type for all kinds.

use std::fmt;

use crate::kind::ReadsBody;
use crate::{Acquire, AcquireError, Cost, Limiter, ParamsError, RateLimiter, Stack};

/// A limiter of any kind that reads bodies, or a tuple of them, for
/// [`LimitLayer`](super::LimitLayer).
///
/// It is a clone: it shares the limits and the queue of the limiter that it was made from.
///
/// ```
/// use openlimit::clients::AnyLimiter;
/// use openlimit::{ChatRateLimiter, EmbeddingRateLimiter, RateLimiter, limiter};
///
/// limiter! {
///     static CHAT: ChatRateLimiter = { tokens: 40_000 / minute };
///     static EMBED: EmbeddingRateLimiter = { tokens: 1_000_000 / minute };
///     static ACCOUNT: RateLimiter = { requests: 500 / minute };
/// }
/// let limiters: [AnyLimiter; 3] = [(&CHAT).into(), (&EMBED).into(), (&CHAT, &ACCOUNT).into()];
/// # drop(limiters);
/// ```
///
/// The limiters of a tuple admit a request together, as a [`Stack`] does. Each reads the body by
/// its own kind.
#[derive(Clone)]
pub struct AnyLimiter(Limiters);

#[derive(Clone)]
enum Limiters {
    One(Erased),
    Stack(Vec<Erased>),
}

/// A limiter whose kind is no part of its type.
#[derive(Clone)]
struct Erased {
    limiter: RateLimiter,
    cost_of_body: fn(&RateLimiter, &str, &[u8]) -> Result<Cost, AcquireError>,
}

impl AnyLimiter {
    /// Prepares the admission of a request, at the cost that its path and body say.
    pub(super) fn acquire_body(&self, path: &str, body: &[u8]) -> Result<Acquire, AcquireError> {
        match &self.0 {
            Limiters::One(one) => Ok(one.limiter.acquire(&one.cost_of_body(path, body)?)),
            Limiters::Stack(all) => {
                let costs = all.iter().map(|one| Ok((&one.limiter, one.cost_of_body(path, body)?)));
                Ok(Stack::acquire_each(&costs.collect::<Result<Vec<_>, AcquireError>>()?))
            }
        }
    }

    /// Prepares the admission of a request of this cost.
    pub(super) fn acquire(&self, cost: Cost) -> Acquire {
        match &self.0 {
            Limiters::One(one) => one.limiter.acquire(&cost),
            Limiters::Stack(all) => {
                let limiters: Vec<_> = all.iter().map(|one| &one.limiter).collect();
                Stack::of(limiters).acquire(cost)
            }
        }
    }

    /// Returns the error of a request that cannot be priced.
    pub(super) fn unpriced(&self, error: ParamsError) -> AcquireError {
        match &self.0 {
            Limiters::One(one) => one.limiter.unpriced(error),
            Limiters::Stack(all) => all[0].limiter.unpriced(error),
        }
    }

    fn into_all(self) -> Vec<Erased> {
        match self.0 {
            Limiters::One(one) => vec![one],
            Limiters::Stack(all) => all,
        }
    }
}

impl Erased {
    fn cost_of_body(&self, path: &str, body: &[u8]) -> Result<Cost, AcquireError> {
        (self.cost_of_body)(&self.limiter, path, body)
    }
}

impl<K: ReadsBody> From<&Limiter<K>> for AnyLimiter {
    fn from(limiter: &Limiter<K>) -> Self {
        let limiter = limiter.of_kind();
        Self(Limiters::One(Erased { limiter, cost_of_body: RateLimiter::cost_of_kind::<K> }))
    }
}

impl<K: ReadsBody> From<Limiter<K>> for AnyLimiter {
    fn from(limiter: Limiter<K>) -> Self {
        Self::from(&limiter)
    }
}

macro_rules! tuples {
    ($(($($limiter:ident $place:tt),+))+) => {$(
        impl<$($limiter: Into<Self>),+> From<($($limiter),+)> for AnyLimiter {
            fn from(limiters: ($($limiter),+)) -> Self {
                let all = [$(limiters.$place.into().into_all()),+];
                Self(Limiters::Stack(all.into_iter().flatten().collect()))
            }
        }
    )+};
}

tuples! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
}

impl fmt::Debug for AnyLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Limiters::One(one) => one.limiter.fmt(f),
            Limiters::Stack(all) => f.debug_list().entries(all.iter().map(|one| &one.limiter)).finish(),
        }
    }
}
