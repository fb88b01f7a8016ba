//! `CostLayer`: a layer for requests whose bodies say nothing of their cost, such as those of gRPC.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::any_limiter::AnyLimiter;
use super::reply::LimitedBody;
use super::service::take_ready;
use super::tower::{Answer, BoxError, send};
use crate::{Cost, Priority};

/// Makes the requests of a service wait for a limiter, at a cost that a function gives. It never
/// reads their bodies.
///
/// The function returns `None` for a request that is not limited. Its argument has to name the type
/// of the body.
///
/// ```
/// use http_body_util::Full;
/// use openlimit::clients::CostLayer;
/// use openlimit::{Cost, RateLimiter, limiter};
///
/// limiter! {
///     static CALLS: RateLimiter = { requests: 200 / minute };
/// }
///
/// let layer = CostLayer::new(&CALLS, |request: &http::Request<Full<bytes::Bytes>>| {
///     request.uri().path().ends_with("/Generate").then(Cost::new)
/// });
/// # drop(layer);
/// ```
pub struct CostLayer<F> {
    limiter: AnyLimiter,
    cost: Arc<F>,
    timeout: Option<Duration>,
    priority: Priority,
}

/// A service whose calls wait for a limiter, at a given cost. [`CostLayer`] creates it.
///
/// Like [`LimitService`](super::LimitService), it waits in the future of a call.
pub struct CostService<S, F> {
    inner: S,
    layer: CostLayer<F>,
}

impl<F> CostLayer<F> {
    /// Creates a layer. Of a tuple of limiters, every one has to admit a request, as those of a
    /// [`Stack`](crate::Stack).
    pub fn new(limiter: impl Into<AnyLimiter>, cost: F) -> Self {
        Self { limiter: limiter.into(), cost: Arc::new(cost), timeout: None, priority: Priority::default() }
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
}

impl<S, F> Layer<S> for CostLayer<F> {
    type Service = CostService<S, F>;

    fn layer(&self, inner: S) -> CostService<S, F> {
        CostService { inner, layer: self.clone() }
    }
}

impl<S, F, B, R> Service<Request<B>> for CostService<S, F>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    F: Fn(&Request<B>) -> Option<Cost>,
    B: Send + 'static,
    R: Body + Unpin + Send + 'static,
    R::Data: AsRef<[u8]> + Send,
    R::Error: Send,
{
    type Response = Response<LimitedBody<R>>;
    type Error = BoxError;
    type Future = Answer<R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = take_ready(&mut self.inner);
        let layer = &self.layer;
        let acquire = (layer.cost)(&request).map(|cost| {
            let acquire = layer.limiter.acquire(cost).priority(layer.priority);
            match layer.timeout {
                Some(timeout) => acquire.timeout(timeout),
                None => acquire,
            }
        });
        Box::pin(send(inner, acquire, request))
    }
}

impl<F> Clone for CostLayer<F> {
    fn clone(&self) -> Self {
        Self { limiter: self.limiter.clone(), cost: Arc::clone(&self.cost), ..*self }
    }
}

impl<S: Clone, F> Clone for CostService<S, F> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<F> fmt::Debug for CostLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CostLayer").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, F> fmt::Debug for CostService<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CostService").field("inner", &self.inner).field("layer", &self.layer).finish()
    }
}
