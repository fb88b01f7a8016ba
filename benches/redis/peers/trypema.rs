//! trypema, which runs a script for each limit, one after the other.

use redis::aio::ConnectionManagerConfig;
use trypema::redis::{RedisKey, RedisRateLimiterProvider};
use trypema::{RateLimit, RateLimitDecision, RateLimiterBuilder as _};

use crate::callers::{COST, REQUESTS, TOKENS};
use crate::load::{Load, runtime};
use crate::server::{PATIENCE, Server};

pub(super) fn run(server: &Server, callers: usize) -> Load {
    let config = ConnectionManagerConfig::new().set_response_timeout(Some(PATIENCE));
    let provider = runtime().block_on(async {
        let connection = server.client().get_connection_manager_with_config(config).await.unwrap();
        RedisRateLimiterProvider::builder(connection).build().unwrap()
    });
    let limit = |name: &str, rate: u32| {
        (RedisKey::new(name.into()).unwrap(), RateLimit::per_second(f64::from(rate)).unwrap())
    };
    let limits = [(limit("requests", REQUESTS), 1), (limit("tokens", TOKENS), COST)];
    Load::of_tasks(callers, move || {
        let (provider, limits) = (provider.clone(), limits.clone());
        async move {
            for ((key, rate), count) in limits {
                let decision = provider.absolute().inc(&key, &rate, count).await.unwrap();
                assert!(matches!(decision, RateLimitDecision::Allowed), "{decision:?}");
            }
        }
    })
}
