//! `limiter!`: statics that build themselves at first use.
//!
//! The macro splits a declaration into keys and values. Each `key: value` becomes a call `.key(value)` of the
//! builder, with the user's own tokens, so rustc points at them and editors know them. Which keys there are, and
//! which of them take a rate, is said in [`keys`](super::keys).

/// Declares limiters as statics.
///
/// A declaration reads like a static with a struct as its value. Each key is a method of the
/// [`Builder`](crate::Builder), and a key that is given twice adds a second limit:
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
/// The declared type is the type of the static. One `limiter!` can declare several statics, with attributes and
/// any visibility. For a limiter in a variable or a field, use the [builder](crate::Limiter::builder).
///
/// # Values
///
/// A rate is `amount / unit`. The amount is a number or a constant, and the unit is `second`, `minute`, `hour` or
/// `day`. Such a rate is checked at compile time: zero does not compile.
///
/// Any other value is an expression. It may end in `?`, so that a limit can come from the environment. An error is
/// kept, and every acquire returns it as [`AcquireError::Build`](crate::AcquireError::Build), which names the
/// limiter and the key:
///
/// ```
/// use openlimit::{Rate, RateLimiter, limiter};
///
/// limiter! {
///     static CHEAP: RateLimiter = { requests: Rate::per_minute(std::env::var("NO_SUCH_VARIABLE")?.parse()?) };
/// }
///
/// let error = CHEAP.init().unwrap_err();
/// assert!(error.to_string().ends_with("the value of `requests` failed: environment variable not found"));
/// ```
///
/// # When it is built
///
/// The limiter is built at first use. To find a wrong declaration at start-up, call
/// [`init`](crate::Limiter::init) in `main`.
///
/// # Names
///
/// Errors call the limiter by its path (`my_crate::limits::CHEAP`), or by the value of `name`.
#[macro_export]
macro_rules! limiter {
    ($(
        $(#[$attr:meta])*
        $vis:vis static $name:ident : $type:ty = { $($body:tt)* }
    );+ $(;)?) => {$(
        $(#[$attr])*
        $vis static $name: $type = $crate::__private::declare::<$type, _>(
            ::core::concat!(::core::module_path!(), "::", ::core::stringify!($name)),
            // Not just `builder`: a pattern can also mean a static or a constant, and the user may have one.
            |__openlimit_builder, __openlimit_key| {
                $crate::__limiter!(@split __openlimit_builder __openlimit_key [] $($body)*)
            },
        );
    )+};

    // `let chat = limiter! { requests: 200 / minute };`
    ($key:ident : $($rest:tt)*) => {
        $crate::__private::mistake! { at $key, "`limiter!` declares statics: `static CHAT: ChatRateLimiter = { .. };`; \
            for a limiter in a variable, use `ChatRateLimiter::builder()`" }
    };
}

/// Splits the body of a declaration into `[key form(value)]`, then makes each of them a call of the builder.
///
/// The forms are those that read differently for a rate and for another value: `ratio(amount) unit`,
/// `literal(200)` and `value(..)`.
#[doc(hidden)]
#[macro_export]
macro_rules! __limiter {
    (@split $builder:ident $at:ident []) => {
        ::core::compile_error!("a limiter needs at least one limit, such as `requests: 200 / minute`")
    };
    (@split $builder:ident $at:ident [$([$key:ident $($value:tt)+])+]) => {{
        $(let $builder = $crate::__limiter_key!($key, $builder $at $key $($value)+);)+
        ::core::result::Result::Ok($builder)
    }};
    (@split $builder:ident $at:ident [$($done:tt)*] $key:ident : $amount:literal / $unit:ident $(, $($rest:tt)*)?) => {
        $crate::__limiter!(@split $builder $at [$($done)* [$key ratio($amount) $unit]] $($($rest)*)?)
    };
    // A constant, perhaps with the path to it.
    (@split $builder:ident $at:ident [$($done:tt)*] $key:ident : $($amount:ident)::+ / $unit:ident $(, $($rest:tt)*)?) => {
        $crate::__limiter!(@split $builder $at [$($done)* [$key ratio($($amount)::+) $unit]] $($($rest)*)?)
    };
    (@split $builder:ident $at:ident [$($done:tt)*] $key:ident : $value:literal $(, $($rest:tt)*)?) => {
        $crate::__limiter!(@split $builder $at [$($done)* [$key literal($value)]] $($($rest)*)?)
    };
    (@split $builder:ident $at:ident [$($done:tt)*] $key:ident : $value:expr $(, $($rest:tt)*)?) => {
        $crate::__limiter!(@split $builder $at [$($done)* [$key value($value)]] $($($rest)*)?)
    };

    (@split $builder:ident $at:ident [$($done:tt)*] $key:ident : $(, $($rest:tt)*)?) => {
        $crate::__private::mistake!(at $key, "expected a value, such as `requests: 200 / minute`")
    };
    (@split $builder:ident $at:ident [$($done:tt)*] $key:ident = $($rest:tt)*) => {
        $crate::__private::mistake!(at $key, "expected a colon after the key: `requests: 200 / minute`")
    };
}
