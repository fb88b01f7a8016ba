//! `#[rate_limited]` on functions of every shape: each compiles untouched, and waits exactly once a call.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, LazyLock, Mutex};

use openlimit::{AcquireError, ChatRateLimiter, Limiter, RateLimiter, kind, rate_limited};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;

type Outcome<T> = Result<T, AcquireError>;

#[derive(serde::Serialize)]
struct Request {
    model: String,
    messages: Vec<()>,
}

impl Request {
    fn new() -> Self {
        Self { model: "gpt-4o".to_owned(), messages: Vec::new() }
    }
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn an_async_fn_waits_once() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 7)]
    async fn call(reply: &str) -> Outcome<String> {
        Ok(reply.to_owned())
    }

    assert_eq!(call("hello").await.unwrap(), "hello");
    assert_eq!(taken(&CHAT), (1, 7));
}

#[test]
fn a_future_that_is_not_polled_takes_nothing() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT)]
    async fn call() -> Outcome<()> {
        Ok(())
    }

    drop(call());
    assert_eq!(taken(&CHAT), (0, 0));
}

#[test]
fn a_sync_fn_blocks() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 7)]
    fn call(reply: &str) -> Outcome<&str> {
        Ok(reply)
    }

    assert_eq!(call("hello").unwrap(), "hello");
    assert_eq!(taken(&CHAT), (1, 7));
}

#[tokio::test]
async fn generics_lifetimes_and_where_clauses_are_untouched() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = N as u64)]
    async fn call<'a, T, const N: usize>(first: &'a [T; N], then: impl Fn(&T) -> T) -> Outcome<(T, &'a T)>
    where
        T: Clone + Send + 'a,
    {
        Ok((then(&first[0]), &first[N - 1]))
    }

    assert_eq!(call(&[1, 2, 3], |x| x + 40).await.unwrap(), (41, &3));
    assert_eq!(taken(&CHAT), (1, 3));
}

#[tokio::test]
async fn names_of_an_argument_pattern_can_be_priced() {
    metered! { static CHAT: RateLimiter; }
    struct Sized {
        size: u64,
        text: String,
    }

    #[rate_limited(limiter = CHAT, cost = size)]
    async fn call(Sized { size, text }: Sized, (mut a, _): (u8, u8), [b, ..]: [u8; 3]) -> Outcome<String> {
        a += b;
        Ok(format!("{text}{a}"))
    }

    let request = Sized { size: 9, text: "x".to_owned() };
    assert_eq!(call(request, (1, 2), [3, 4, 5]).await.unwrap(), "x4");
    assert_eq!(taken(&CHAT), (1, 9));
}

#[tokio::test]
async fn the_body_may_move_what_was_priced() {
    metered! { static CHAT: ChatRateLimiter; }

    #[rate_limited(limiter = CHAT, params = request)]
    async fn call(request: Request) -> Outcome<String> {
        tokio::task::yield_now().await;
        drop(request.messages);
        Ok(request.model)
    }

    assert_eq!(is_send(call(Request::new())).await.unwrap(), "gpt-4o");
    assert_eq!(taken(&CHAT).0, 1);
}

#[tokio::test]
async fn params_need_not_be_sync() {
    metered! { static CHAT: ChatRateLimiter; }
    #[derive(serde::Serialize)]
    struct Cells {
        model: Cell<&'static str>,
        messages: [(); 0],
    }

    #[rate_limited(limiter = CHAT, params = request)]
    async fn call(request: Cells) -> Outcome<&'static str> {
        tokio::task::yield_now().await;
        Ok(request.model.take())
    }

    assert_eq!(is_send(call(Cells { model: Cell::new("gpt-4o"), messages: [] })).await.unwrap(), "gpt-4o");
    assert_eq!(taken(&CHAT).0, 1);
}

#[tokio::test]
async fn params_may_be_a_reference_or_a_temporary() {
    metered! { static CHAT: ChatRateLimiter; }

    fn build(model: &str) -> impl serde::Serialize {
        Request { model: model.to_owned(), messages: Vec::new() }
    }

    #[rate_limited(limiter = CHAT, params = &request)]
    async fn by_reference(request: Request) -> Outcome<String> {
        Ok(request.model)
    }

    #[rate_limited(limiter = CHAT, params = request)]
    async fn borrowed(request: &Request) -> Outcome<&str> {
        Ok(&request.model)
    }

    #[rate_limited(limiter = CHAT, params = build(&model))]
    async fn temporary(model: String) -> Outcome<String> {
        Ok(model)
    }

    by_reference(Request::new()).await.unwrap();
    borrowed(&Request::new()).await.unwrap();
    is_send(temporary("gpt-4o".to_owned())).await.unwrap();
    assert_eq!(taken(&CHAT).0, 3);
}

#[tokio::test]
async fn early_returns_and_question_marks_are_untouched() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT)]
    async fn call(number: &str) -> anyhow::Result<i32> {
        if number.is_empty() {
            return Ok(0);
        }
        let number: i32 = number.parse()?;
        Ok(number + 1)
    }

    #[rate_limited(limiter = CHAT)]
    fn blocking(number: &str) -> anyhow::Result<i32> {
        if number.is_empty() {
            return Ok(0);
        }
        Ok(number.parse::<i32>()? + 1)
    }

    assert_eq!((call("").await.unwrap(), blocking("").unwrap()), (0, 0));
    assert_eq!((call("1").await.unwrap(), blocking("1").unwrap()), (2, 2));
    assert!(call("x").await.is_err() && blocking("x").is_err());
    assert_eq!(taken(&CHAT), (6, 0));
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
async fn a_limiter_may_be_anything_that_leads_to_one() {
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

#[tokio::test]
async fn a_call_may_recurse() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT)]
    async fn call(depth: u32) -> Outcome<u32> {
        if depth == 0 { Ok(0) } else { Ok(Box::pin(call(depth - 1)).await? + 1) }
    }

    assert_eq!(call(3).await.unwrap(), 3);
    assert_eq!(taken(&CHAT).0, 4);
}

#[test]
fn two_attributes_both_wait() {
    metered! { static PER_USER: RateLimiter; static PER_HOST: RateLimiter; }

    #[rate_limited(limiter = PER_USER)]
    #[rate_limited(limiter = PER_HOST)]
    fn call() -> Outcome<()> {
        Ok(())
    }

    call().unwrap();
    assert_eq!((taken(&PER_USER).0, taken(&PER_HOST).0), (1, 1));
}

#[test]
fn unsafe_and_extern_functions_are_untouched() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, on_error = |_| -1)]
    unsafe fn risky(number: i32) -> i32 {
        number
    }

    #[rate_limited(limiter = CHAT, on_error = |_| -1)]
    extern "C" fn foreign(number: i32) -> i32 {
        number
    }

    // The workspace forbids `unsafe`, so the first is only named.
    let _: unsafe fn(i32) -> i32 = risky;
    assert_eq!(foreign(2), 2);
    assert_eq!(taken(&CHAT).0, 1);
}

#[rate_limited(limiter = NEVER, on_error = |error| panic!("{error}"))]
fn diverge() -> ! {
    std::process::exit(0)
}

metered! { static NEVER: RateLimiter; }

#[tokio::test]
async fn bodies_that_never_return_compile() {
    #[rate_limited(limiter = NEVER)]
    async fn panics() -> Outcome<u8> {
        panic!("not written yet")
    }

    #[rate_limited(limiter = NEVER)]
    fn loops() -> Outcome<u8> {
        loop {
            std::thread::park();
        }
    }

    let _: fn() -> ! = diverge;
    let _: fn() -> Outcome<u8> = loops;
    let panicked = tokio::spawn(panics()).await;
    assert!(panicked.unwrap_err().is_panic());
    assert_eq!(taken(&NEVER).0, 1);
}

#[tokio::test]
async fn inner_attributes_and_docs_are_kept() {
    metered! { static CHAT: RateLimiter; }

    /// Adds.
    #[rate_limited(limiter = CHAT)]
    #[deny(unused_must_use)]
    async fn call(x: u8) -> Outcome<u8> {
        #![allow(unused_variables, reason = "an attribute in the body")]
        #![allow(clippy::let_and_return)]
        //! More words.
        let unused = 1;
        let sum = x + 1;
        sum.checked_add(1).map(Ok).unwrap_or(Ok(0))
    }

    assert_eq!(call(1).await.unwrap(), 3);
}

#[test]
fn other_attributes_are_kept() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT)]
    #[cfg(any())]
    fn absent() -> NoSuchType {}

    #[inline]
    #[must_use]
    #[track_caller]
    #[rate_limited(limiter = CHAT, on_error = |_| 0)]
    fn line() -> u32 {
        std::panic::Location::caller().line()
    }

    assert_eq!(line(), line!());
}

metered! { static TESTED: RateLimiter; }

#[test]
#[rate_limited(limiter = TESTED)]
fn a_test_may_be_limited() -> Outcome<()> {
    Ok(())
}

#[tokio::test]
#[rate_limited(limiter = TESTED)]
async fn an_async_test_may_be_limited() -> Outcome<()> {
    Ok(())
}

#[rate_limited(limiter = TESTED)]
#[tokio::test]
async fn an_async_test_may_be_limited_from_above() -> Outcome<()> {
    Ok(())
}

#[test]
fn main_may_be_limited() {
    metered! { static CHAT: RateLimiter; }

    #[tokio::main(flavor = "current_thread")]
    #[rate_limited(limiter = CHAT)]
    async fn main() -> Outcome<()> {
        Ok(())
    }

    main().unwrap();
    assert_eq!(taken(&CHAT).0, 1);
}

#[tokio::test]
async fn results_may_hold_impl_traits() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT)]
    async fn call(text: &str) -> Result<impl Display + use<'_>, Box<dyn std::error::Error + Send + Sync>> {
        if text.is_empty() {
            return Err("empty".into());
        }
        Ok(text)
    }

    #[rate_limited(limiter = CHAT, on_error = |_| Vec::new().into_iter())]
    fn numbers() -> impl Iterator<Item = u8> {
        vec![1, 2].into_iter()
    }

    assert_eq!(call("x").await.unwrap().to_string(), "x");
    assert!(call("").await.is_err());
    assert_eq!(numbers().sum::<u8>(), 3);
}

/// The paths that this test needs are all that a facade has to offer.
mod limits {
    pub(crate) use openlimit::*;
}

#[test]
fn the_crate_may_have_another_name() {
    metered! { static CHAT: RateLimiter; }

    #[limits::rate_limited(limiter = CHAT, crate = limits)]
    fn relative() -> Outcome<()> {
        Ok(())
    }

    #[limits::rate_limited(crate = crate::limits, limiter = CHAT)]
    fn absolute() -> Outcome<()> {
        Ok(())
    }

    macro_rules! limited {
        ($name:ident, $limiter:expr, $cost:expr, $body:block) => {
            #[$crate::limits::rate_limited(limiter = $limiter, cost = $cost, crate = $crate::limits)]
            fn $name() -> Outcome<u8> $body
        };
    }
    limited!(by_macro, CHAT, 2 + 1, { Ok(4) });

    macro_rules! limited_item {
        ($item:item) => {
            #[rate_limited(limiter = CHAT)]
            #[inline]
            $item
        };
    }
    limited_item! { fn whole() -> Outcome<u8> { Ok(5) } }

    relative().unwrap();
    absolute().unwrap();
    assert_eq!((by_macro().unwrap(), whole().unwrap()), (4, 5));
    assert_eq!(taken(&CHAT), (4, 3));
}
