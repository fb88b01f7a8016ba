//! Compares whole expansions with the expected code. Read them to see what the attribute does.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proc_macro2::TokenStream;

use crate::expand::expand;

#[test]
fn an_async_fn_waits_in_front_of_its_body() {
    snapshot(
        "limiter = CHAT, params = request",
        "async fn call(request: Request) -> Result<Reply, Error> { send(request).await }",
        "async fn call(request: Request) -> Result<Reply, Error> {
    let __openlimit_acquire = ::openlimit::__private::limiter(&(CHAT))
        .params(::openlimit::__private::request(&(request)).checked())
        .site(::core::concat!(::core::module_path!(), \"::call:\", ::core::line!()));
    let __openlimit_permit = match __openlimit_acquire.await {
        ::core::result::Result::Ok(__openlimit_permit) => __openlimit_permit,
        ::core::result::Result::Err(__openlimit_error) => {
            return ::openlimit::__private::refuse(__openlimit_error);
        }
    };
    send(request).await
}",
    );
}

#[test]
fn options_become_method_calls_in_the_order_of_their_kind() {
    snapshot(
        "priority = Priority::Low, timeout = LONG, permit = mut permit, crate = crate::limits, cost = 900, limiter = self.pick()",
        "/// Calls.
        pub fn call(&self) -> Result<(), Error> { #![allow(unused_mut)] Ok(()) }",
        "/// Calls.
#[allow(unused_mut)]
pub fn call(&self) -> Result<(), Error> {
    let __openlimit_acquire = crate::limits::__private::limiter(&(self.pick())).cost(900).timeout(LONG).priority(Priority::Low);
    let mut permit = match __openlimit_acquire.blocking() {
        ::core::result::Result::Ok(__openlimit_permit) => __openlimit_permit,
        ::core::result::Result::Err(__openlimit_error) => {
            return crate::limits::__private::refuse(__openlimit_error);
        }
    };
    Ok(())
}",
    );
}

#[test]
fn usage_wraps_the_body_and_on_error_names_the_type() {
    snapshot(
        "limiter = CHAT, usage = |reply| reply.total, on_error = |_| None",
        "fn call() -> Option<impl Reply> { send() }",
        "fn call() -> Option<impl Reply> {
    let __openlimit_acquire = ::openlimit::__private::limiter(&(CHAT)).request();
    let __openlimit_permit = match __openlimit_acquire.blocking() {
        ::core::result::Result::Ok(__openlimit_permit) => __openlimit_permit,
        ::core::result::Result::Err(__openlimit_error) => {
            return ::openlimit::__private::on_error::<Option<_>>(__openlimit_error, |_| None);
        }
    };
    let __openlimit_reply = ::openlimit::__private::run(move || -> Option<_> { send() });
    ::openlimit::__private::reply(&__openlimit_reply).usage(__openlimit_permit, |reply| reply.total);
    __openlimit_reply
}",
    );
}

#[test]
fn a_function_that_ends_in_an_async_block_waits_there() {
    snapshot(
        "limiter = CHAT, cost = 1, usage = |tokens| *tokens",
        "fn call(&self) -> BoxFuture<'_, Result<u64, Error>> {
            let client = self.client.clone();
            Box::pin(async move { client.send().await })
        }",
        "fn call(&self) -> BoxFuture<'_, Result<u64, Error>> {
    let client = self.client.clone();
    Box::pin(async move {
        let __openlimit_acquire = ::openlimit::__private::limiter(&(CHAT)).cost(1);
        let __openlimit_permit = match __openlimit_acquire.await {
            ::core::result::Result::Ok(__openlimit_permit) => __openlimit_permit,
            ::core::result::Result::Err(__openlimit_error) => {
                return ::openlimit::__private::refuse(__openlimit_error);
            }
        };
        let __openlimit_reply = async move {
            if let ::core::option::Option::Some(__openlimit_reply) =
                ::core::option::Option::None::<Result<u64, Error>>
            {
                return __openlimit_reply;
            }
            client.send().await
        }
        .await;
        ::openlimit::__private::reply(&__openlimit_reply).usage(__openlimit_permit, |tokens| *tokens);
        __openlimit_reply
    })
}",
    );
}

#[test]
fn feedback_looks_at_the_value_of_the_body() {
    snapshot(
        "limiter = CHAT, params = request, feedback",
        "async fn call(request: Request) -> Result<Reply, Error> { send(request).await }",
        "async fn call(request: Request) -> Result<Reply, Error> {
    let __openlimit_acquire = ::openlimit::__private::limiter(&(CHAT))
        .params(::openlimit::__private::request(&(request)).checked())
        .site(::core::concat!(::core::module_path!(), \"::call:\", ::core::line!()));
    let __openlimit_permit = match __openlimit_acquire.await {
        ::core::result::Result::Ok(__openlimit_permit) => __openlimit_permit,
        ::core::result::Result::Err(__openlimit_error) => {
            return ::openlimit::__private::refuse(__openlimit_error);
        }
    };
    let __openlimit_reply = async move {
        if let ::core::option::Option::Some(__openlimit_reply) =
            ::core::option::Option::None::<Result<Reply, Error>>
        {
            return __openlimit_reply;
        }
        send(request).await
    }
    .await;
    ::openlimit::__private::reply(&__openlimit_reply).judged(
        __openlimit_permit,
        ::openlimit::__private::found,
        |__openlimit_permit, __openlimit_error| {
            ::openlimit::__private::failed(__openlimit_error).judged(__openlimit_permit)
        },
    );
    __openlimit_reply
}",
    );
}

#[test]
fn retry_puts_the_wait_and_the_body_into_a_loop() {
    snapshot(
        "limiter = CHAT, refused = |error| error.response(), retry = 3",
        "fn call(&self, mut request: Request, seen: &mut Vec<u64>, unused: u8) -> Result<Reply, Error> {
            self.send(request, seen)
        }",
        "fn call(&self, mut request: Request, seen: &mut Vec<u64>, unused: u8) -> Result<Reply, Error> {
    let mut __openlimit_retries = ::openlimit::__private::retries(3);
    loop {
        let __openlimit_acquire = ::openlimit::__private::limiter(&(CHAT)).request();
        let __openlimit_permit = match __openlimit_acquire.blocking() {
            ::core::result::Result::Ok(__openlimit_permit) => __openlimit_permit,
            ::core::result::Result::Err(__openlimit_error) => {
                return ::openlimit::__private::refuse(__openlimit_error);
            }
        };
        let __openlimit_reply = {
            let request = ::openlimit::__private::again(&mut request);
            let seen = &mut *seen;
            ::openlimit::__private::run(|| -> Result<Reply, Error> {
                let mut request = request;
                let seen = seen;
                self.send(request, seen)
            })
        };
        let __openlimit_verdict = ::openlimit::__private::reply(&__openlimit_reply).judged(
            __openlimit_permit,
            ::openlimit::__private::unknown,
            |__openlimit_permit, __openlimit_error| ::openlimit::__private::refused(
                __openlimit_permit,
                __openlimit_error,
                |error| error.response(),
            ),
        );
        if !__openlimit_retries.again(__openlimit_verdict) {
            break __openlimit_reply;
        }
    }
}",
    );
}

#[test]
fn stream_moves_the_permit_into_the_value_of_the_body() {
    snapshot(
        "limiter = CHAT, stream",
        "async fn call() -> Result<impl Stream<Item = Chunk> + Send, Error> { send().await }",
        "async fn call() -> Result<impl Stream<Item = Chunk> + Send, Error> {
    let __openlimit_acquire = ::openlimit::__private::limiter(&(CHAT)).request();
    let __openlimit_permit = match __openlimit_acquire.await {
        ::core::result::Result::Ok(__openlimit_permit) => __openlimit_permit,
        ::core::result::Result::Err(__openlimit_error) => {
            return ::openlimit::__private::refuse(__openlimit_error);
        }
    };
    let __openlimit_reply = async move {
        if let ::core::option::Option::Some(__openlimit_reply) =
            ::core::option::Option::None::<Result<_, Error>>
        {
            return __openlimit_reply;
        }
        send().await
    }
    .await;
    let (__openlimit_reply, _) = ::openlimit::__private::returned(&__openlimit_reply).streamed(
        __openlimit_permit,
        __openlimit_reply,
        |__openlimit_permit, __openlimit_reply| {
            ::openlimit::__private::opaque(
                __openlimit_permit,
                __openlimit_reply,
                |__openlimit_tap, __openlimit_item: &Chunk| {
                    ::openlimit::__private::item(__openlimit_item).show(
                        __openlimit_tap,
                        |__openlimit_tap, __openlimit_event| {
                            ::openlimit::__private::event(__openlimit_event).read(__openlimit_tap)
                        },
                        ::openlimit::__private::unobserved,
                    )
                },
            )
        },
        ::openlimit::__private::kept,
    );
    __openlimit_reply
}",
    );
}

#[test]
fn stream_boxes_again_what_was_boxed_and_feedback_judges_its_errors() {
    snapshot(
        "limiter = CHAT, stream, feedback, retry = 3",
        "fn call() -> Result<BoxStream<'_, Chunk>, Error> { send() }",
        "fn call() -> Result<BoxStream<'_, Chunk>, Error> {
    let mut __openlimit_retries = ::openlimit::__private::retries(3);
    loop {
        let __openlimit_acquire = ::openlimit::__private::limiter(&(CHAT)).request();
        let __openlimit_permit = match __openlimit_acquire.blocking() {
            ::core::result::Result::Ok(__openlimit_permit) => __openlimit_permit,
            ::core::result::Result::Err(__openlimit_error) => {
                return ::openlimit::__private::refuse(__openlimit_error);
            }
        };
        let __openlimit_reply = {
            ::openlimit::__private::run(|| -> Result<BoxStream<'_, Chunk>, Error> { send() })
        };
        let (__openlimit_reply, __openlimit_verdict) =
            ::openlimit::__private::returned(&__openlimit_reply).streamed(
                __openlimit_permit,
                __openlimit_reply,
                |__openlimit_permit, __openlimit_reply| {
                    ::openlimit::__private::boxed(
                        __openlimit_permit,
                        __openlimit_reply,
                        |__openlimit_tap, __openlimit_item: &_| {
                            ::openlimit::__private::item(__openlimit_item).show(
                                __openlimit_tap,
                                |__openlimit_tap, __openlimit_event| {
                                    ::openlimit::__private::event(__openlimit_event).read(__openlimit_tap)
                                },
                                |__openlimit_error| {
                                    ::openlimit::__private::failed(__openlimit_error).observed()
                                },
                            )
                        },
                    )
                },
                |__openlimit_permit, __openlimit_error| {
                    ::openlimit::__private::failed(__openlimit_error).judged(__openlimit_permit)
                },
            );
        if !__openlimit_retries.again(__openlimit_verdict) {
            break __openlimit_reply;
        }
    }
}",
    );
}

#[test]
fn a_mistake_leaves_the_function_as_it_was_written() {
    snapshot(
        "limitter = CHAT, crate = limits",
        "fn call() -> u8 { 1 }",
        "fn call() -> u8 {
    #[allow(unexpected_cfgs)]
    const _: () = {
        #[cfg(rust_analyzer)]
        use limits::__private::options::{limitter as _};
    };
    1
}
::core::compile_error! {
    \"unknown option `limitter`; did you mean `limiter`?\"
}",
    );
    snapshot(
        "limiter = CHAT",
        "trait Call { }",
        "trait Call {}
::core::compile_error! {
    \"`#[rate_limited]` goes on each function that it should limit, not on the block around them\"
}",
    );
}

/// Formats both sides, so that the layout of the expected code does not matter.
fn snapshot(options: &str, item: &str, expected: &str) {
    let tokens = |text: &str| text.parse::<TokenStream>().unwrap();
    let format = |tokens: TokenStream| prettyplease::unparse(&syn::parse2(tokens).unwrap());
    assert_eq!(format(expand(tokens(options), tokens(item))), format(tokens(expected)));
}
