//! Messages for methods that do not exist: `Limiter::new`, and the builder's methods of disabled
//! features.
//!
//! rustc would only report that there is no such method. Each method here has a bound that no type
//! satisfies, and rustc prints the message of the bound instead: what to call, or which feature to
//! enable.

use crate::Limiter;

/// Satisfied by no type.
#[diagnostic::on_unimplemented(
    message = "a limiter is built with `builder()`, or declared with `limiter!`",
    label = "there is no `new`",
    note = "write `ChatRateLimiter::builder().requests(Rate::per_minute(200)).build()?`"
)]
pub trait New {}

#[allow(non_upper_case_globals, reason = "it has the name of a function")]
impl<K> Limiter<K>
where
    Self: New,
{
    // A constant, because a function would also be checked for its number of arguments.
    #[doc(hidden)]
    pub const new: () = ();
}

/// Satisfied by no type.
#[diagnostic::on_unimplemented(
    message = "`max_keys`, `limits` and `key_name` are for a limiter of each key",
    label = "declare a `Keyed<TenantId, ..>`, or call `keyed::<TenantId>()` first"
)]
pub trait OfEachKey {}

// With a path, so that the test of the keys does not take these for options.
impl<K> crate::Builder<K>
where
    Self: OfEachKey,
{
    #[doc(hidden)]
    pub fn max_keys<T>(self, _: T) -> Self {
        self
    }

    #[doc(hidden)]
    pub fn limits<T>(self, _: T) -> Self {
        self
    }

    #[doc(hidden)]
    pub fn key_name<T>(self, _: T) -> Self {
        self
    }
}

/// Declares the methods that a disabled feature would add to the builder.
#[allow(unused_macros, reason = "unused if all features are enabled")]
macro_rules! absent {
    ($feature:ident, $message:literal, $label:literal: $($method:ident),+) => {
        /// Satisfied by no type.
        #[diagnostic::on_unimplemented(message = $message, label = $label)]
        pub trait $feature {}

        impl<K, Keys> $crate::Builder<K, Keys>
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
    "`cargo add openlimit --features tokenizers`":
        default_output, model, input_factor, tokenizer, price, prices, admission, output, input
}

#[cfg(not(feature = "serde"))]
absent! {
    FeatureSerde, "to read the options of a limiter from a config, enable the feature `serde` of openlimit",
    "`cargo add openlimit --features serde`": config
}

#[cfg(not(feature = "testing"))]
absent! {
    FeatureTesting, "to move the clock by hand, enable the feature `testing` of openlimit",
    "`cargo add openlimit --features testing`": clock
}
