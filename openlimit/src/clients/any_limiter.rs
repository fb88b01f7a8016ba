//! `AnyLimiter`: a limiter that reads bodies, whatever its kind.
//!
//! A program may send all its requests through one client, and limit each model by another limiter.
//! So what chooses among limiters needs one type for all kinds.

use std::fmt;

use crate::kind::ReadsBody;
use crate::{AcquireError, Cost, Limiter, RateLimiter};

/// A limiter of any kind that reads bodies, for [`LimitLayer::choose`](super::LimitLayer::choose).
///
/// It is a clone: it shares the limits and the queue of the limiter that it was made from.
///
/// ```
/// use openlimit::clients::AnyLimiter;
/// use openlimit::{ChatRateLimiter, EmbeddingRateLimiter, limiter};
///
/// limiter! {
///     static CHAT: ChatRateLimiter = { tokens: 40_000 / minute };
///     static EMBED: EmbeddingRateLimiter = { tokens: 1_000_000 / minute };
/// }
/// let limiters: [AnyLimiter; 2] = [(&CHAT).into(), (&EMBED).into()];
/// # drop(limiters);
/// ```
#[derive(Clone)]
pub struct AnyLimiter {
    limiter: RateLimiter,
    cost_of_body: fn(&RateLimiter, &str, &[u8]) -> Result<Cost, AcquireError>,
}

impl AnyLimiter {
    /// Returns the cost of a request, as [`Limiter::cost_of_body`] does.
    pub(super) fn cost_of_body(&self, path: &str, body: &[u8]) -> Result<Cost, AcquireError> {
        (self.cost_of_body)(&self.limiter, path, body)
    }

    /// Returns the limiter without its kind. It takes costs.
    pub(super) fn limiter(&self) -> &RateLimiter {
        &self.limiter
    }
}

impl<K: ReadsBody> From<&Limiter<K>> for AnyLimiter {
    fn from(limiter: &Limiter<K>) -> Self {
        Self { limiter: limiter.of_kind(), cost_of_body: RateLimiter::cost_of_kind::<K> }
    }
}

impl<K: ReadsBody> From<Limiter<K>> for AnyLimiter {
    fn from(limiter: Limiter<K>) -> Self {
        Self::from(&limiter)
    }
}

impl fmt::Debug for AnyLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.limiter.fmt(f)
    }
}
