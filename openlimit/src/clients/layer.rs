//! `LimitLayer`: decides for each request which limiter admits it, at what cost.
//!
//! It knows no client. Each client's own file puts it into place.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::any_limiter::AnyLimiter;
use super::outgoing::Outgoing;
use crate::{Acquire, AcquireError, Cost, ParamsError, Priority};

type Choose = dyn Fn(&Outgoing<'_>) -> Option<AnyLimiter> + Send + Sync;
type GiveCost = dyn Fn(&Outgoing<'_>) -> Option<Cost> + Send + Sync;

/// Makes every request of an HTTP client wait for a limiter. The [module](super) says how to add it
/// to a client, and which requests it limits.
///
/// It is cheap to clone. Clones share the limiter.
#[derive(Clone)]
pub struct LimitLayer {
    chooser: Chooser,
    cost: Option<Arc<GiveCost>>,
    timeout: Option<Duration>,
    priority: Priority,
    #[cfg_attr(not(feature = "ureq"), allow(dead_code, reason = "only ureq needs it"))]
    pub(super) http_status_as_error: bool,
}

#[derive(Clone)]
enum Chooser {
    One(AnyLimiter),
    Chosen(Arc<Choose>),
}

impl LimitLayer {
    /// Creates a layer whose requests all wait for one limiter.
    ///
    /// A [`RateLimiter`](crate::RateLimiter) takes requests of all kinds, such as chat completions
    /// and embeddings. Any other limiter takes those of its kind, and the others fail.
    pub fn new(limiter: impl Into<AnyLimiter>) -> Self {
        Self::with(Chooser::One(limiter.into()))
    }

    /// Creates a layer that asks a function for the limiter of each request. A request for which
    /// there is none passes as if there were no layer.
    ///
    /// The function is called for each attempt to send a request. It must not block.
    ///
    /// ```
    /// use openlimit::clients::LimitLayer;
    /// use openlimit::{ChatRateLimiter, limiter};
    ///
    /// limiter! {
    ///     static LARGE: ChatRateLimiter = { tokens: 40_000 / minute };
    ///     static SMALL: ChatRateLimiter = { tokens: 400_000 / minute };
    /// }
    ///
    /// let layer = LimitLayer::choose(|request| match request.model()?.as_ref() {
    ///     "gpt-4o" => Some(&LARGE),
    ///     "gpt-4o-mini" => Some(&SMALL),
    ///     _ => None,
    /// });
    /// # drop(layer);
    /// ```
    pub fn choose<L: Into<AnyLimiter>>(
        choose: impl Fn(&Outgoing<'_>) -> Option<L> + Send + Sync + 'static,
    ) -> Self {
        Self::with(Chooser::Chosen(Arc::new(move |request: &Outgoing<'_>| choose(request).map(Into::into))))
    }

    fn with(chooser: Chooser) -> Self {
        Self { chooser, cost: None, timeout: None, priority: Priority::default(), http_status_as_error: true }
    }

    /// Sets the longest wait of a request. Default: none. See
    /// [`Acquire::timeout`](crate::Acquire::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the priority of each request among those that wait. Default: normal. See
    /// [`Acquire::priority`](crate::Acquire::priority).
    ///
    /// Two clients can use one limiter with different priorities.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets a function that gives the cost of a request, whatever it sends. If it returns `None`,
    /// the cost is read from the body.
    ///
    /// Use it for requests whose cost cannot be read, such as those for images, and those that do
    /// not send JSON.
    #[must_use]
    pub fn cost(mut self, cost: impl Fn(&Outgoing<'_>) -> Option<Cost> + Send + Sync + 'static) -> Self {
        self.cost = Some(Arc::new(cost));
        self
    }

    /// Prepares the admission of a request. Returns `None` if no limit applies to it.
    ///
    /// The adapters call it. It is public for clients that have no adapter.
    ///
    /// # Errors
    /// [`AcquireError::Params`] if the cost cannot be read, and [`AcquireError::Build`] if the
    /// limiter cannot be built. All other errors come from the [`Acquire`].
    pub fn acquire(&self, request: &Outgoing<'_>) -> Result<Option<Acquire>, AcquireError> {
        let chosen;
        let limiter = match &self.chooser {
            Chooser::One(limiter) => limiter,
            Chooser::Chosen(choose) => match choose(request) {
                Some(limiter) => {
                    chosen = limiter;
                    &chosen
                }
                None => return Ok(None),
            },
        };
        let cost = match self.cost.as_ref().and_then(|cost| cost(request)) {
            Some(cost) => cost,
            None if !request.sends_json() => return Ok(None),
            None => match request.body() {
                Some(body) => limiter.cost_of_body(request.path(), body)?,
                None => return Err(limiter.limiter().unpriced(in_pieces())),
            },
        };
        let acquire = limiter.limiter().acquire(&cost).priority(self.priority);
        Ok(Some(match self.timeout {
            Some(timeout) => acquire.timeout(timeout),
            None => acquire,
        }))
    }
}

/// Returns the error of a body that is written while it is sent.
#[cold]
fn in_pieces() -> ParamsError {
    ParamsError::new("body", "expected JSON in memory, found a stream; collect it, or give the cost")
}

impl fmt::Debug for LimitLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut layer = f.debug_struct("LimitLayer");
        if let Chooser::One(limiter) = &self.chooser {
            layer.field("limiter", limiter);
        }
        layer.field("timeout", &self.timeout).field("priority", &self.priority).finish_non_exhaustive()
    }
}
