//! `LimitService`: what [`LimitLayer`] makes of a service of tower.

use std::mem;

use tower_layer::Layer;

use super::layer::LimitLayer;

/// A service whose calls wait for a limiter. [`LimitLayer`] creates it.
///
/// A call waits in its future, and never in `poll_ready`: its cost is only known from the request.
/// So the service is always ready when the inner one is, and layers such as `load_shed` above it
/// see no pressure. Use [`LimitLayer::timeout`] to refuse calls that would wait for long.
#[derive(Clone, Debug)]
pub struct LimitService<S> {
    pub(super) inner: S,
    pub(super) layer: LimitLayer,
}

impl<S> Layer<S> for LimitLayer {
    type Service = LimitService<S>;

    fn layer(&self, inner: S) -> LimitService<S> {
        LimitService { inner, layer: self.clone() }
    }
}

/// Returns the service that `poll_ready` found ready, and leaves a clone in its place. The clone
/// may not be ready.
pub(super) fn take_ready<S: Clone>(service: &mut S) -> S {
    let clone = service.clone();
    mem::replace(service, clone)
}
