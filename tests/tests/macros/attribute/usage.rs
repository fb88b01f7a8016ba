//! Tests of `usage` and `permit`: the real usage replaces the reservation.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::Cell;
use std::fmt::Debug;

use openlimit::{AcquireError, RateLimiter, Usage, rate_limited};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;

type Outcome<T> = Result<T, AcquireError>;

#[derive(Debug)]
struct Reply {
    total_tokens: u64,
}

fn reply(total_tokens: u64) -> Reply {
    Reply { total_tokens }
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn usage_sees_the_value_of_a_result() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |reply| reply.total_tokens)]
    async fn call(tokens: u64) -> Outcome<Reply> {
        tokio::task::yield_now().await;
        Ok(reply(tokens))
    }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |reply| reply.total_tokens)]
    fn blocking(tokens: u64) -> anyhow::Result<Reply> {
        Ok(reply(tokens))
    }

    #[rate_limited(limiter = CHAT, cost = 100, usage = total)]
    async fn by_name() -> Outcome<Reply> {
        Ok(reply(5))
    }

    fn total(reply: &Reply) -> u64 {
        reply.total_tokens
    }

    assert_eq!(call(30).await.unwrap().total_tokens, 30);
    assert_eq!(taken(&CHAT), (1, 30));
    call(200).await.unwrap();
    assert_eq!(taken(&CHAT), (2, 230));
    blocking(1).unwrap();
    assert_eq!(taken(&CHAT), (3, 231));
    by_name().await.unwrap();
    assert_eq!(taken(&CHAT), (4, 236));
}

#[test]
fn usage_may_be_anything_that_can_be_called() {
    metered! { static CHAT: RateLimiter; }
    struct Counter {
        count: fn(&Reply) -> u64,
    }

    impl Counter {
        fn by(&self, factor: u64) -> impl FnOnce(&Reply) -> u64 {
            let count = self.count;
            move |reply| factor * count(reply)
        }

        #[rate_limited(limiter = CHAT, cost = 100, usage = self.count)]
        fn field(&self) -> Outcome<Reply> {
            Ok(reply(1))
        }

        #[rate_limited(limiter = CHAT, cost = 100, usage = self.by(2))]
        fn method(&self) -> Outcome<Reply> {
            Ok(reply(2))
        }
    }

    #[rate_limited(limiter = CHAT, cost = 100, usage = counter.count)]
    fn of_an_argument(counter: &Counter) -> Outcome<Reply> {
        Ok(reply(3))
    }

    #[rate_limited(limiter = CHAT, cost = 100, usage = counters[0].by(factor))]
    fn by_index(counters: &[Counter], factor: u64) -> Outcome<Reply> {
        Ok(reply(4))
    }

    let counter = Counter { count: |reply| reply.total_tokens };
    counter.field().unwrap();
    assert_eq!(taken(&CHAT), (1, 1));
    counter.method().unwrap();
    assert_eq!(taken(&CHAT), (2, 5));
    of_an_argument(&counter).unwrap();
    assert_eq!(taken(&CHAT), (3, 8));
    by_index(&[counter], 3).unwrap();
    assert_eq!(taken(&CHAT), (4, 20));
}

#[tokio::test]
async fn usage_sees_any_other_value_whole() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |reply| reply.total_tokens, on_error = |_| reply(0))]
    async fn call() -> Reply {
        reply(30)
    }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |reply| reply.as_ref().map(|reply| reply.total_tokens),
        on_error = |_| None)]
    fn optional(reply: Option<Reply>) -> Option<Reply> {
        reply
    }

    call().await;
    assert_eq!(taken(&CHAT), (1, 30));
    optional(Some(reply(5)));
    assert_eq!(taken(&CHAT), (2, 35));
    optional(None);
    assert_eq!(taken(&CHAT), (3, 135));
}

#[test]
fn usage_may_be_nowhere_in_a_reply_that_cannot_be_read() {
    metered! { static CHAT: RateLimiter; }

    // As the error about such a reply suggests.
    #[rate_limited(limiter = CHAT, cost = 100, feedback, usage = |_| None::<u64>)]
    fn call() -> Outcome<Reply> {
        Ok(reply(30))
    }

    call().unwrap();
    assert_eq!(taken(&CHAT), (1, 100));
}

#[test]
fn usage_may_be_counted_in_the_clients_own_width() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |tokens| *tokens)]
    fn narrow() -> Outcome<u32> {
        Ok(40)
    }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |tokens| *tokens)]
    fn signed(tokens: i64) -> Outcome<i64> {
        Ok(tokens)
    }

    narrow().unwrap();
    assert_eq!(taken(&CHAT), (1, 40));
    signed(2).unwrap();
    assert_eq!(taken(&CHAT), (2, 42));
    signed(-1).unwrap();
    assert_eq!(taken(&CHAT), (3, 142));
}

#[test]
fn usage_may_be_given_in_full_or_not_at_all() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |_| Usage::new(10, 20))]
    fn full() -> Outcome<()> {
        Ok(())
    }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |known| known.then(|| Usage::from(4)))]
    fn sometimes(known: bool) -> Outcome<bool> {
        Ok(known)
    }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |_| 1)]
    fn literal() -> Outcome<()> {
        Ok(())
    }

    full().unwrap();
    assert_eq!(taken(&CHAT), (1, 30));
    sometimes(true).unwrap();
    assert_eq!(taken(&CHAT), (2, 34));
    sometimes(false).unwrap();
    assert_eq!(taken(&CHAT), (3, 134));
    literal().unwrap();
    assert_eq!(taken(&CHAT), (4, 135));
}

#[tokio::test]
async fn the_reservation_stands_for_errors_and_panics() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |_| unreachable!() as u64)]
    async fn failing() -> anyhow::Result<()> {
        anyhow::bail!("no")
    }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |_| unreachable!() as u64)]
    async fn panicking() -> Outcome<()> {
        panic!("no")
    }

    failing().await.unwrap_err();
    assert_eq!(taken(&CHAT), (1, 100));
    assert!(tokio::spawn(panicking()).await.unwrap_err().is_panic());
    assert_eq!(taken(&CHAT), (2, 200));
}

#[tokio::test]
async fn early_returns_and_question_marks_are_seen() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |number| *number)]
    async fn call(text: &str) -> anyhow::Result<u64> {
        if text.is_empty() {
            return Ok(3);
        }
        Ok(text.parse()?)
    }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |number| *number)]
    fn blocking(text: &str) -> anyhow::Result<u64> {
        if text.is_empty() {
            return Ok(3);
        }
        Ok(text.parse()?)
    }

    call("").await.unwrap();
    blocking("").unwrap();
    assert_eq!(taken(&CHAT), (2, 6));
    call("4").await.unwrap();
    blocking("5").unwrap();
    assert_eq!(taken(&CHAT), (4, 15));
    assert!(call("x").await.is_err() && blocking("x").is_err());
    assert_eq!(taken(&CHAT), (6, 215));
}

struct Client {
    limiter: RateLimiter,
    last: Reply,
}

impl Client {
    #[rate_limited(limiter = self.limiter, cost = 100, usage = |reply| reply.total_tokens)]
    fn blocking(&mut self, tokens: u64) -> Outcome<&mut Reply> {
        self.last = reply(tokens);
        Ok(&mut self.last)
    }

    #[rate_limited(limiter = self.limiter, cost = 100, usage = |reply| reply.total_tokens)]
    async fn call(&mut self, tokens: u64) -> Outcome<&mut Reply> {
        self.last = reply(tokens);
        Ok(&mut self.last)
    }

    #[rate_limited(limiter = self.limiter, cost = 100, usage = |text| text.len() as u64)]
    async fn shared<'a>(&self, text: &'a str) -> Outcome<&'a str> {
        Ok(text)
    }
}

#[tokio::test]
async fn the_value_may_borrow_from_self() {
    metered! { static CHAT: RateLimiter; }
    let mut client = Client { limiter: CHAT.clone(), last: reply(0) };

    client.blocking(1).unwrap().total_tokens += 1;
    client.call(2).await.unwrap().total_tokens += 1;
    assert_eq!(client.last.total_tokens, 3);
    assert_eq!(client.shared("four").await.unwrap(), "four");
    assert_eq!(taken(&CHAT), (3, 7));
}

#[tokio::test]
async fn the_return_type_still_guides_the_body() {
    metered! { static CHAT: RateLimiter; }
    type Boxed = Box<dyn Debug + Send>;

    #[rate_limited(limiter = CHAT, cost = 100, usage = |_| 1)]
    async fn coerced(text: &str) -> Result<Boxed, Box<dyn std::error::Error>> {
        if text.is_empty() {
            return Err("empty".into());
        }
        let number: u8 = text.parse()?;
        Ok(Box::new(number))
    }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |text| text.to_string().len() as u64)]
    async fn opaque(text: &str) -> Result<impl ToString + use<'_>, Box<dyn std::error::Error>> {
        if text.is_empty() {
            return Err(Box::new(std::fmt::Error));
        }
        Ok(text)
    }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |text| text.to_string().len() as u64)]
    fn opaque_blocking(text: &str) -> Result<impl ToString + use<'_>, Box<dyn std::error::Error>> {
        if text.is_empty() {
            return Err(Box::new(std::fmt::Error));
        }
        Ok(text)
    }

    assert_eq!(format!("{:?}", coerced("1").await.unwrap()), "1");
    assert_eq!(opaque("12").await.unwrap().to_string(), "12");
    assert_eq!(opaque_blocking("12").unwrap().to_string(), "12");
    assert_eq!(taken(&CHAT), (3, 5));
}

#[tokio::test]
async fn a_future_with_usage_is_send_where_the_body_is() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, usage = |_| 1)]
    async fn call(cell: Cell<u8>, mut count: u8) -> Outcome<u8> {
        count += cell.take();
        tokio::task::yield_now().await;
        count += cell.take();
        Ok(count)
    }

    assert_eq!(is_send(call(Cell::new(1), 2)).await.unwrap(), 3);
}

#[tokio::test]
async fn the_body_owns_a_permit_with_a_name() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, permit = permit)]
    async fn call(cached: Option<u64>) -> Outcome<u64> {
        if let Some(cached) = cached {
            permit.cancel();
            return Ok(cached);
        }
        let used = permit.waited().as_secs() + 7;
        permit.settle(used);
        Ok(used)
    }

    #[rate_limited(limiter = CHAT, cost = 100, permit = mut admitted)]
    fn replaced() -> Outcome<()> {
        let first = std::mem::replace(&mut admitted, CHAT.try_acquire(50)?);
        first.cancel();
        Ok(())
    }

    #[rate_limited(limiter = CHAT, cost = 20, permit = permit)]
    async fn handed_out() -> Outcome<openlimit::Permit> {
        Ok(permit)
    }

    call(Some(1)).await.unwrap();
    assert_eq!(taken(&CHAT), (0, 0));
    call(None).await.unwrap();
    assert_eq!(taken(&CHAT), (1, 7));
    replaced().unwrap();
    assert_eq!(taken(&CHAT), (2, 57));
    handed_out().await.unwrap().settle(3_u64);
    assert_eq!(taken(&CHAT), (3, 60));
}
