//! limitador: it looks whether a limit allows as much, and then counts it; and the same amount of every limit it is asked for.

use std::sync::Arc;

use limitador::AsyncRateLimiter;
use limitador::limit::{Context, Limit, Namespace};
use limitador::storage::redis::AsyncRedisStorage;

use crate::callers::{COST, REQUESTS, TOKENS};
use crate::load::{Load, runtime};
use crate::server::Server;

pub(super) fn run(server: &Server, callers: usize) -> Load {
    let storage = runtime().block_on(AsyncRedisStorage::new(&server.url())).unwrap();
    let limiter = Arc::new(AsyncRateLimiter::new_with_storage(Box::new(storage)));
    let limits = [("requests", REQUESTS, 1), ("tokens", TOKENS, COST)].map(|(name, rate, count)| {
        limiter.add_limit(Limit::with_id(name, name, rate.into(), 1, [], []));
        (Namespace::from(name), count)
    });
    Load::of_tasks(callers, move || {
        let (limiter, limits) = (Arc::clone(&limiter), limits.clone());
        async move {
            for (name, count) in &limits {
                let context = Context::default();
                let decision = limiter.check_rate_limited_and_update(name, &context, *count).await.unwrap();
                assert!(!decision.limited, "{:?}", decision.counters);
            }
        }
    })
}
