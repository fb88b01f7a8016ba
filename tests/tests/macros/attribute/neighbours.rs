//! Tests of `#[rate_limited]` beside other attributes, inside macros, and with other names of the
//! crate.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openlimit::{AcquireError, RateLimiter, rate_limited};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;
use tracing::instrument;

type Outcome<T> = Result<T, AcquireError>;

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

/// Counts entered spans and recorded events, apart from those of the library.
#[derive(Clone, Default)]
struct Trace(Arc<[AtomicU64; 2]>);

impl Trace {
    /// Returns how `call` changes the counts.
    fn of(call: impl FnOnce()) -> (u64, u64) {
        let trace = Self::default();
        tracing::subscriber::with_default(trace.clone(), call);
        (trace.0[0].load(Ordering::Relaxed), trace.0[1].load(Ordering::Relaxed))
    }
}

impl tracing::Subscriber for Trace {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        // The limiter has events of its own.
        if event.metadata().target() != "openlimit" {
            self.0[1].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn enter(&self, _: &tracing::Id) {
        self.0[0].fetch_add(1, Ordering::Relaxed);
    }

    fn exit(&self, _: &tracing::Id) {}
}

#[test]
fn a_span_holds_the_wait_or_not_by_the_order_of_the_attributes() {
    metered! { static CHAT: RateLimiter; }

    #[instrument(err)]
    #[rate_limited(limiter = CHAT, cost = cost)]
    fn outside(cost: u64) -> Outcome<()> {
        Ok(())
    }

    #[rate_limited(limiter = CHAT, cost = cost)]
    #[instrument(err)]
    fn inside(cost: u64) -> Outcome<()> {
        Ok(())
    }

    // Entered spans, and the errors that they recorded.
    assert_eq!(Trace::of(|| outside(1).unwrap()), (1, 0));
    assert_eq!(Trace::of(|| inside(1).unwrap()), (1, 0));
    assert_eq!(Trace::of(|| drop(outside(u64::MAX).unwrap_err())), (0, 0));
    assert_eq!(Trace::of(|| drop(inside(u64::MAX).unwrap_err())), (1, 1));
    assert_eq!(taken(&CHAT).0, 2);
}

/// A facade that re-exports only what this test needs.
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

    #[limits::rate_limited(crate = crate::attribute::neighbours::limits, limiter = CHAT)]
    fn absolute() -> Outcome<()> {
        Ok(())
    }

    macro_rules! limited {
        ($name:ident, $limiter:expr, $cost:expr, $body:block) => {
            #[$crate::attribute::neighbours::limits::rate_limited(
                limiter = $limiter,
                cost = $cost,
                crate = $crate::attribute::neighbours::limits
            )]
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
