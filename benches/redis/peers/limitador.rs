//! limitador, through its storage, which is faster than its limiter. It checks a limit first and
//! counts afterwards. It is asked for one limit after the other, because one request to it takes
//! the same amount of each limit.

use limitador::counter::Counter;
use limitador::limit::{Context, Limit};
use limitador::storage::redis::AsyncRedisStorage;
use limitador::storage::{AsyncCounterStorage as _, Authorization};

use crate::callers::{COST, REQUESTS, TOKENS};
use crate::load::{Load, runtime};
use crate::server::Server;

pub(super) fn run(server: &Server, callers: usize) -> Load {
    let storage = runtime().block_on(AsyncRedisStorage::new(&server.url())).unwrap();
    let limits = [("requests", REQUESTS, 1), ("tokens", TOKENS, COST)].map(|(name, rate, count)| {
        let limit = Limit::with_id(name, name, rate.into(), 1, [], []);
        (Counter::new(limit, &Context::default()).unwrap().unwrap(), count)
    });
    Load::of_tasks(callers, move || {
        let (storage, limits) = (storage.clone(), limits.clone());
        async move {
            for (limit, count) in limits {
                let decision = storage.check_and_update(&mut vec![limit], count).await.unwrap();
                assert!(matches!(decision, Authorization::Ok));
            }
        }
    })
}
