//! `limiter!`: statics that build themselves at first use.
//!
//! It knows no keys: `key: value` becomes the call `.key(value)` of the builder, so the macro and the builder
//! never differ, and rustc's own messages (with its suggestions) point at a misspelt key.

/// Declares limiters as statics.
///
/// ```
/// use openlimit::{RateLimiter, limiter};
/// use std::time::Duration;
///
/// limiter! {
///     /// What the account allows for its cheapest model.
///     pub static CHEAP: RateLimiter = {
///         requests: 200 / minute,
///         requests: 10_000 / day,
///         tokens: 40_000 / minute,
///         burst: Duration::from_secs(2),
///     };
/// }
///
/// assert!(CHEAP.init().is_ok());
/// ```
///
/// Every key is a method of the [`Builder`](crate::Builder). A value is `N / second`, `/ minute`, `/ hour` or
/// `/ day` (checked at compile time: a rate of zero does not compile), or any expression. An expression may end
/// in `?`: its error is kept, and every acquire returns it as
/// [`AcquireError::Build`](crate::AcquireError::Build).
///
/// The static's type is the declared type. It is built at first use; [`init`](crate::Limiter::init) builds
/// it earlier, say at the start of `main`, and returns what is wrong with it.
#[macro_export]
macro_rules! limiter {
    ($(
        $(#[$attr:meta])*
        $vis:vis static $name:ident : $type:ty = { $($body:tt)* }
    );+ $(;)?) => {$(
        $(#[$attr])*
        $vis static $name: $type = $crate::__private::declare::<$type, _>(
            ::core::concat!(::core::module_path!(), "::", ::core::stringify!($name)),
            |__openlimit_builder| $crate::__limiter!(@keys __openlimit_builder, $($body)*),
        );
    )+};
}

/// The keys of one limiter, one at a time, into calls of its builder.
#[doc(hidden)]
#[macro_export]
macro_rules! __limiter {
    (@keys $builder:expr, ) => {
        ::core::compile_error!("a limiter needs at least one limit, such as `requests: 200 / minute`")
    };
    (@keys $builder:expr, $($key:tt)+) => { $crate::__limiter!(@more $builder, $($key)+) };

    (@more $builder:expr, ) => { ::core::result::Result::Ok($builder) };
    (@more $builder:expr, $key:ident : $amount:literal / $unit:ident $(, $($rest:tt)*)?) => {
        $crate::__limiter!(@more $builder.$key({
            // A constant of its own, so that `cargo check` and the editor evaluate it.
            const RATE: $crate::Rate = $crate::__private::literal_rate($amount, $crate::Unit::$unit);
            RATE
        }), $($($rest)*)?)
    };
    (@more $builder:expr, $key:ident : $value:expr $(, $($rest:tt)*)?) => {
        $crate::__limiter!(@more $builder.$key($value), $($($rest)*)?)
    };
}
