//! Who else shares limits through Redis, with two limits of that size. None decides over both at once: two of theirs in a row.

use std::future::Future;
use std::pin::Pin;

use redis::aio::ConnectionManagerConfig;
use trypema::redis::{RedisKey, RedisRateLimiterProvider};
use trypema::{RateLimit, RateLimitDecision, RateLimiterBuilder as _};

use crate::load::runtime;
use crate::server::{PATIENCE, Server};

/// A call of one request and ten tokens, which is always granted.
pub(crate) fn trypema(
    server: &Server,
    requests: u32,
    tokens: u32,
) -> impl Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Clone + use<> {
    let config = ConnectionManagerConfig::new().set_response_timeout(Some(PATIENCE));
    let provider = runtime().block_on(async {
        let connection = server.client().get_connection_manager_with_config(config).await.unwrap();
        RedisRateLimiterProvider::builder(connection).build().unwrap()
    });
    let limit = |name: &str, rate: u32| {
        (RedisKey::new(name.into()).unwrap(), RateLimit::per_second(f64::from(rate)).unwrap())
    };
    let limits = [(limit("requests", requests), 1), (limit("tokens", tokens), 10)];
    move || {
        let (provider, limits) = (provider.clone(), limits.clone());
        Box::pin(async move {
            for ((key, rate), count) in limits {
                let decision = provider.absolute().inc(&key, &rate, count).await.unwrap();
                assert!(matches!(decision, RateLimitDecision::Allowed), "{decision:?}");
            }
        })
    }
}
