//! Tests of names: the expansion uses no name of the user's, and the user sees no name of the
//! expansion.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, non_upper_case_globals, reason = "the names are the test")]

use openlimit::{RateLimiter, rate_limited};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;

metered! { static CHAT: RateLimiter; }

#[tokio::test]
async fn locals_with_the_names_of_ours_stay_the_users() {
    #[rate_limited(limiter = permit, cost = __openlimit_acquire, usage = |reply| *reply + __openlimit_error)]
    async fn call(
        permit: &RateLimiter,
        __openlimit_acquire: u64,
        __openlimit_error: u64,
        __openlimit_permit: u64,
        __openlimit_reply: u64,
    ) -> anyhow::Result<u64> {
        fn drop<T>(_: T) {}
        let error = __openlimit_permit + __openlimit_reply;
        drop(permit);
        Ok(__openlimit_acquire + error)
    }

    assert_eq!(call(&CHAT, 1, 2, 3, 4).await.unwrap(), 8);
    assert_eq!(taken(&CHAT), (1, 10));
}

/// A module in which every name that an expansion could use means something else.
mod hostile {
    struct Result;
    struct Option;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct Builder;
    struct Rate;
    struct Unit;
    struct Box;
    struct String;
    static permit: u8 = 0;
    static error: u8 = 0;
    static acquire: u8 = 0;
    static builder: u8 = 0;
    const RATE: u8 = 0;
    const fill: u8 = 0;
    const name: u8 = 0;
    mod core {}
    mod std {}
    mod openlimit {}
    fn drop() {}
    macro_rules! shadow {
        ($($name:ident)+) => {$(
            #[allow(unused_macros)]
            macro_rules! $name {
                () => {};
            }
        )+};
    }
    shadow! { concat module_path stringify matches }

    use ::openlimit::RateLimiter;
    ::openlimit_tests::metered! { static SHADOWED: RateLimiter; }

    /// Traits for every type, with methods named like those of the expansion.
    trait Everything: Sized {
        fn params(self, _: u8) {}
        fn cost(self, _: u64) {}
        fn request(self) {}
        fn timeout(self, _: u8) {}
        fn deadline(self, _: u8) {}
        fn priority(self, _: u8) {}
        fn blocking(self) {}
        fn usage(self, _: u8, _: u8) {}
        fn requests(self, _: u8) {}
        fn into_future(self) {}
    }
    impl<T> Everything for T {}

    pub(crate) type Outcome = ::anyhow::Result<u64>;

    #[::openlimit::rate_limited(limiter = SHADOWED, cost = 5, usage = |tokens| *tokens, timeout = ZERO)]
    pub(crate) async fn call() -> Outcome {
        ::anyhow::Ok(3)
    }

    #[::openlimit::rate_limited(limiter = SHADOWED, cost = 5, usage = |tokens| *tokens)]
    pub(crate) fn blocking() -> Outcome {
        ::anyhow::Ok(4)
    }

    const ZERO: ::std::time::Duration = ::std::time::Duration::ZERO;

    pub(crate) fn used() -> (u64, u64) {
        ::openlimit_tests::meter::taken(&SHADOWED)
    }
}

#[tokio::test]
async fn items_named_like_what_an_expansion_uses_do_no_harm() {
    hostile::call().await.unwrap();
    hostile::blocking().unwrap();
    assert_eq!(hostile::used(), (2, 7));
}
