//! Tests of `#[rate_limited]` on functions of every shape: each compiles unchanged, and waits once
//! for each call.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::Cell;
use std::fmt::Display;

use openlimit::{AcquireError, ChatRateLimiter, RateLimiter, rate_limited};
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
async fn params_may_be_of_any_type_but_text() {
    metered! { static CHAT: ChatRateLimiter; }

    #[rate_limited(limiter = CHAT, params = request)]
    async fn generic<T: serde::Serialize + ?Sized>(request: &T) -> Outcome<()> {
        Ok(())
    }

    #[rate_limited(limiter = CHAT, params = request)]
    async fn converted<T: serde::Serialize + Into<Request>>(request: T) -> Outcome<Request> {
        Ok(request.into())
    }

    #[rate_limited(limiter = CHAT, params = request)]
    fn opaque(request: Box<impl serde::Serialize>) -> Outcome<()> {
        Ok(())
    }

    #[rate_limited(limiter = CHAT, params = *request)]
    fn dereferenced(request: std::sync::Arc<serde_json::Value>) -> Outcome<()> {
        Ok(())
    }

    #[rate_limited(limiter = CHAT, params = serde_json::json!({ "model": model, "messages": [] }))]
    fn built(model: &str) -> Outcome<()> {
        Ok(())
    }

    generic(&Request::new()).await.unwrap();
    converted(Request::new()).await.unwrap();
    opaque(Box::new(&Request::new())).unwrap();
    dereferenced(std::sync::Arc::new(serde_json::json!({ "model": "gpt-4o", "messages": [] }))).unwrap();
    built("gpt-4o").unwrap();
    assert_eq!(taken(&CHAT).0, 5);
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
