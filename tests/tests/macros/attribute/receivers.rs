//! Tests of `#[rate_limited]` on methods with every kind of `self`, and with every way to name a
//! limiter.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use openlimit::{AcquireError, Limiter, RateLimiter, kind, rate_limited};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;

type Outcome<T> = Result<T, AcquireError>;

fn is_send<T: Send>(value: T) -> T {
    value
}

struct Client {
    limiter: RateLimiter,
    shared: Arc<RateLimiter>,
    pool: Mutex<Vec<Arc<RateLimiter>>>,
    calls: u32,
}

impl Client {
    fn new(limiter: &RateLimiter) -> Self {
        let shared = Arc::new(limiter.clone());
        let pool = Mutex::new(vec![Arc::clone(&shared)]);
        Self { limiter: limiter.clone(), shared, pool, calls: 0 }
    }

    fn pick(&self) -> RateLimiter {
        self.limiter.clone()
    }

    #[rate_limited(limiter = self.limiter)]
    async fn by_reference(&self) -> Outcome<u32> {
        Ok(self.calls)
    }

    #[rate_limited(limiter = self.limiter)]
    async fn by_exclusive_reference(&mut self) -> Outcome<&mut u32> {
        self.calls += 1;
        tokio::task::yield_now().await;
        Ok(&mut self.calls)
    }

    #[rate_limited(limiter = self.shared)]
    async fn by_value(self) -> Outcome<u32> {
        Ok(self.calls)
    }

    #[rate_limited(limiter = self.limiter)]
    async fn by_arc(self: Arc<Self>) -> Outcome<u32> {
        Ok(self.calls)
    }

    #[rate_limited(limiter = self.pick())]
    async fn by_temporary(&mut self) -> Outcome<()> {
        self.calls += 1;
        Ok(())
    }

    #[rate_limited(limiter = self.pool.lock().unwrap()[0].clone())]
    async fn through_a_lock(&self) -> Outcome<()> {
        tokio::task::yield_now().await;
        drop(self.pool.lock().unwrap());
        Ok(())
    }

    #[rate_limited(limiter = self.pool.lock().unwrap()[0])]
    async fn in_a_lock(&self) -> Outcome<()> {
        tokio::task::yield_now().await;
        drop(self.pool.lock().unwrap());
        Ok(())
    }

    #[rate_limited(limiter = self.limiter)]
    fn blocking(&mut self) -> Outcome<&mut u32> {
        self.calls += 1;
        Ok(&mut self.calls)
    }
}

#[tokio::test]
async fn methods_may_take_self_in_every_way() {
    metered! { static CHAT: RateLimiter; }
    let mut client = Client::new(&CHAT);

    is_send(client.by_reference()).await.unwrap();
    *is_send(client.by_exclusive_reference()).await.unwrap() += 1;
    is_send(client.by_temporary()).await.unwrap();
    is_send(client.through_a_lock()).await.unwrap();
    is_send(client.in_a_lock()).await.unwrap();
    *client.blocking().unwrap() += 1;
    assert_eq!(is_send(Arc::new(Client::new(&CHAT)).by_arc()).await.unwrap(), 0);
    assert_eq!(is_send(client.by_value()).await.unwrap(), 5);
    assert_eq!(taken(&CHAT).0, 8);
}

#[tokio::test]
async fn a_limiter_may_be_any_expression_or_pointer() {
    metered! { static CHAT: RateLimiter; }
    static LAZY: LazyLock<RateLimiter> = LazyLock::new(|| CHAT.clone());

    #[rate_limited(limiter = LAZY)]
    async fn lazy() -> Outcome<()> {
        Ok(())
    }

    #[rate_limited(limiter = limiter)]
    async fn argument(limiter: &Limiter<kind::Explicit>) -> Outcome<()> {
        Ok(())
    }

    #[rate_limited(limiter = if first { one } else { other })]
    async fn choice(first: bool, one: Arc<RateLimiter>, other: Arc<RateLimiter>) -> Outcome<()> {
        Ok(())
    }

    #[rate_limited(limiter = by_name[name], cost = 5)]
    async fn indexed(by_name: &HashMap<&str, Box<RateLimiter>>, name: &str) -> Outcome<()> {
        Ok(())
    }

    lazy().await.unwrap();
    argument(&CHAT).await.unwrap();
    choice(true, Arc::new(CHAT.clone()), Arc::new(CHAT.clone())).await.unwrap();
    indexed(&HashMap::from([("chat", Box::new(CHAT.clone()))]), "chat").await.unwrap();
    assert_eq!(taken(&CHAT), (4, 5));
}
