//! `LimitLayer`: decides for each request which limiter admits it, at what cost.
//!
//! It knows no client. Each client's own file puts it into place.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::any_limiter::AnyLimiter;
use super::outgoing::Outgoing;
use crate::{Acquire, AcquireError, Cost, ParamsError, Priority};

type Choose = dyn Fn(&Outgoing<'_>) -> Option<AnyLimiter> + Send + Sync;
type GiveCost = dyn Fn(&Outgoing<'_>) -> Option<Cost> + Send + Sync;
type GiveSite = dyn for<'a> Fn(&Outgoing<'a>) -> Option<Cow<'a, str>> + Send + Sync;

/// Makes every request of an HTTP client wait for a limiter. The [module](super) says how to add it
/// to a client, and [which requests](super#which-requests-are-limited) it limits: those for answers
/// of a model, and not those that count tokens, start batches or store files.
///
/// It is cheap to clone. Clones share the limiter.
#[derive(Clone)]
pub struct LimitLayer {
    chooser: Chooser,
    cost: Option<Arc<GiveCost>>,
    site: Site,
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

/// The call site of each request.
#[derive(Clone)]
enum Site {
    /// That of the limiter.
    Default,
    Named(Arc<str>),
    Given(Arc<GiveSite>),
}

impl LimitLayer {
    /// Creates a layer whose requests all wait for one limiter.
    ///
    /// A [`RateLimiter`](crate::RateLimiter) takes requests of all kinds, such as chat completions
    /// and embeddings. Any other limiter takes those of its kind, and the others fail.
    ///
    /// Of a tuple of limiters, every one has to admit a request, as those of a
    /// [`Stack`](crate::Stack).
    pub fn new(limiter: impl Into<AnyLimiter>) -> Self {
        Self::with(Chooser::One(limiter.into()))
    }

    /// Creates a layer that asks a function for the limiter of each request. A request for which
    /// there is none passes as if there were no layer.
    ///
    /// The function is called for each attempt to send a request. It must not block.
    ///
    /// Here each model has a limiter:
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
    ///
    /// And here each tenant has limits of its own, within those of the account:
    ///
    /// ```
    /// use openlimit::clients::{AnyLimiter, LimitLayer};
    /// use openlimit::{ChatRateLimiter, Keyed, limiter};
    ///
    /// #[derive(Clone, PartialEq, Eq, Hash)]
    /// struct TenantId(u64);
    ///
    /// limiter! {
    ///     static TENANTS: Keyed<TenantId, ChatRateLimiter> = { tokens: 20_000 / minute };
    ///     static ACCOUNT: ChatRateLimiter = { requests: 500 / minute, tokens: 200_000 / minute };
    /// }
    ///
    /// let layer = LimitLayer::choose(|request| {
    ///     Some(match request.extensions().get::<TenantId>() {
    ///         Some(tenant) => AnyLimiter::from((TENANTS.of(tenant), &ACCOUNT)),
    ///         None => AnyLimiter::from(&ACCOUNT),
    ///     })
    /// });
    /// # drop(layer);
    /// ```
    pub fn choose<L: Into<AnyLimiter>>(
        choose: impl Fn(&Outgoing<'_>) -> Option<L> + Send + Sync + 'static,
    ) -> Self {
        Self::with(Chooser::Chosen(Arc::new(move |request: &Outgoing<'_>| choose(request).map(Into::into))))
    }

    fn with(chooser: Chooser) -> Self {
        Self {
            chooser,
            cost: None,
            site: Site::Default,
            timeout: None,
            priority: Priority::default(),
            http_status_as_error: true,
        }
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
    /// Use it for requests whose cost cannot be read, such as those for images, and for those that
    /// pass otherwise: see [which requests are limited](super#which-requests-are-limited). Here
    /// counting tokens has limits of its own, as at Anthropic:
    ///
    /// ```
    /// use openlimit::clients::{AnyLimiter, LimitLayer, Outgoing};
    /// use openlimit::{Cost, MessagesRateLimiter, RateLimiter, limiter};
    ///
    /// limiter! {
    ///     static MESSAGES: MessagesRateLimiter = { requests: 50 / minute, input_tokens: 30_000 / minute };
    ///     static COUNTS: RateLimiter = { requests: 100 / minute };
    /// }
    ///
    /// let counts = |request: &Outgoing<'_>| request.path().ends_with("/count_tokens");
    /// let layer = LimitLayer::choose(move |request| {
    ///     Some(if counts(request) { AnyLimiter::from(&COUNTS) } else { AnyLimiter::from(&MESSAGES) })
    /// })
    /// .cost(move |request| counts(request).then(Cost::new));
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn cost(mut self, cost: impl Fn(&Outgoing<'_>) -> Option<Cost> + Send + Sync + 'static) -> Self {
        self.cost = Some(Arc::new(cost));
        self
    }

    /// Names the call site of all requests. Default: that of the limiter. It replaces a
    /// [`site_of`](Self::site_of).
    ///
    /// What calls really use is learned for each site apart. See
    /// [`Acquire::site`](crate::Acquire::site).
    #[must_use]
    pub fn site(mut self, name: &str) -> Self {
        self.site = Site::Named(name.into());
        self
    }

    /// Sets a function that names the call site of a request, such as its path. If it returns
    /// `None`, the site is that of the limiter. It replaces a [`site`](Self::site).
    ///
    /// Use it if one client makes calls of several kinds. It must not block. Return a few fixed
    /// names: a limiter knows the 64 sites that were settled last.
    ///
    /// ```
    /// use openlimit::clients::LimitLayer;
    /// use openlimit::{Output, RateLimiter, limiter};
    ///
    /// limiter! {
    ///     static LIMITS: RateLimiter = { tokens: 40_000 / minute, output: Output::Learned };
    /// }
    ///
    /// let layer = LimitLayer::new(&LIMITS).site_of(|request| request.model());
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn site_of(
        mut self,
        site: impl for<'a> Fn(&Outgoing<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    ) -> Self {
        self.site = Site::Given(Arc::new(site));
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
        let acquire = match self.cost.as_ref().and_then(|cost| cost(request)) {
            Some(cost) => limiter.acquire(cost),
            None if !request.counts() => return Ok(None),
            None => match request.body() {
                Some(body) => limiter.acquire_body(request.path(), body)?,
                None => return Err(limiter.unpriced(in_pieces())),
            },
        };
        let acquire = acquire.priority(self.priority);
        let acquire = match &self.site {
            Site::Default => acquire,
            Site::Named(name) => acquire.site(name),
            Site::Given(site) => match site(request) {
                Some(name) => acquire.site(&name),
                None => acquire,
            },
        };
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
