//! Methods that do not exist, for those who look for them.
//!
//! rustc would only say that there is no such method. Each of these has a bound that nothing satisfies, and rustc
//! reports the message of the bound instead: what to enable, or what to call.

use crate::Limiter;

#[diagnostic::on_unimplemented(
    message = "a limiter is built with `builder()`, or declared with `limiter!`",
    label = "there is no `new`",
    note = "write `ChatRateLimiter::builder().requests(Rate::per_minute(200)).build()?`"
)]
pub trait New {}

#[allow(non_upper_case_globals, reason = "it stands in for a function")]
impl<K> Limiter<K>
where
    Self: New,
{
    #[doc(hidden)]
    pub const new: () = ();
}

/// Declares builder methods that a feature would add.
#[allow(unused_macros, reason = "with all features there is nothing to declare")]
macro_rules! absent {
    ($feature:ident, $message:literal, $label:literal: $($method:ident),+) => {
        #[diagnostic::on_unimplemented(message = $message, label = $label)]
        pub trait $feature {}

        impl<K> $crate::Builder<K>
        where
            Self: $feature,
        {$(
            #[doc(hidden)]
            pub fn $method<T>(self, _: T) -> Self {
                self
            }
        )+}
    };
}

#[cfg(not(feature = "redis"))]
absent! {
    FeatureRedis, "to share a limiter between processes, enable the feature `redis` of openlimit",
    "`cargo add openlimit --features redis`": redis
}

#[cfg(not(feature = "tokenizers"))]
absent! {
    FeatureTokenizers, "to count the tokens of requests, enable the feature `tokenizers` of openlimit",
    "`cargo add openlimit --features tokenizers`": default_output, tokenizer, admission
}

#[cfg(not(feature = "testing"))]
absent! {
    FeatureTesting, "to move the clock by hand, enable the feature `testing` of openlimit",
    "`cargo add openlimit --features testing`": clock
}
