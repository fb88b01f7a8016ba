//! `limiter!`: declares statics that build themselves at first use.
//!
//! The macro splits a declaration into keys and values. Each `key: value` becomes a method call
//! `.key(value)` on the builder. The tokens stay the user's, so rustc points at them and editors
//! complete them. [`keys`](super::keys) lists the keys.

/// Declares limiters as statics.
///
/// Each key is a method of the [`Builder`](crate::Builder). The key of a limit may be given again,
/// which adds another limit. Of any other key, the last value counts.
///
/// # Examples
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
/// The static has the declared type. One `limiter!` can declare several statics, with attributes,
/// docs and any visibility. It declares items, so it cannot be the value of a `let`. For a limiter
/// in a variable or a field, use [`builder`](crate::Limiter::builder):
///
/// ```
/// use openlimit::{Rate, RateLimiter};
///
/// # fn main() -> Result<(), openlimit::BuildError> {
/// let cheap = RateLimiter::builder().requests(Rate::per_minute(200)).build()?;
/// # Ok(())
/// # }
/// ```
///
/// # Values
///
/// A rate is `amount / unit`, where the amount is a number or a constant, and the unit is `second`,
/// `minute`, `hour`, `day` or `month`. Such a rate is checked at compile time. A rate of zero does not
/// compile. Money is `Dollars(10) / unit`.
///
/// Any other value is an expression. It may use `?`, for example to read a limit from the
/// environment. If it fails, every acquire returns
/// [`AcquireError::Build`](crate::AcquireError::Build), which names the limiter and the key:
///
/// ```
/// use openlimit::{Rate, RateLimiter, limiter};
///
/// limiter! {
///     static CHEAP: RateLimiter = {
///         requests: Rate::per_minute(std::env::var("NO_SUCH_VARIABLE")?.parse()?),
///     };
/// }
///
/// let error = CHEAP.init().unwrap_err();
/// let message = error.to_string();
/// assert!(message.ends_with("the value of `requests` failed: environment variable not found"));
/// ```
///
/// # Errors
///
/// The limiter is built at first use. To find a wrong declaration at start-up, call
/// [`init`](crate::Limiter::init) at the start of `main`.
///
/// Errors name the limiter by the path of its static (`my_crate::limits::CHEAP`), or by the value
/// of `name`.
#[macro_export]
macro_rules! limiter {
    ($(
        $(#[$attr:meta])*
        $vis:vis static $name:ident : $type:ty = { $($body:tt)* }
    );+ $(;)?) => {$(
        $(#[$attr])*
        $vis static $name: $type = {
            #[allow(unused_imports)]
            use $crate::__private::NotDeclared as _;
            <$type>::__declare(
                ::core::concat!(::core::module_path!(), "::", ::core::stringify!($name)),
                // With a prefix, because `builder` would match a static or a constant of that name.
                |__openlimit_builder, __openlimit_key| {
                    $crate::__limiter!(__openlimit_builder __openlimit_key [] $($body)*)
                },
            )
        };
    )+};

    // `let chat = limiter! { requests: 200 / minute };`
    ($key:ident : $($rest:tt)*) => {
        $crate::__private::mistake! {
            at $key, "`limiter!` declares statics: `static CHAT: ChatRateLimiter = { .. };`; \
                for a limiter in a variable, use `ChatRateLimiter::builder()`"
        }
    };
}

/// Splits the keys of one limiter into a list of `[key form(value)]`, then calls the builder for
/// each key.
///
/// A value has one of three forms: `ratio(amount) unit`, `literal(200)` or `value(..)`. `keys.rs`
/// says what each key does with each form. Each key takes one level of recursion, and Rust's
/// default limit is 128.
#[doc(hidden)]
#[macro_export]
macro_rules! __limiter {
    ($builder:ident $at:ident []) => {
        ::core::compile_error!("a limiter needs at least one limit, such as `requests: 200 / minute`")
    };
    ($builder:ident $at:ident [$([$key:ident $($value:tt)+])+]) => {{
        $(let $builder = $crate::__limiter_key!($key, $builder $at $key $($value)+);)+
        ::core::result::Result::Ok($builder)
    }};
    ($builder:ident $at:ident [$($done:tt)*]
     $key:ident : $amount:literal / $unit:ident $(, $($rest:tt)*)?) => {
        $crate::__limiter!($builder $at [$($done)* [$key ratio($amount) $unit]] $($($rest)*)?)
    };
    // A constant, or a path to one.
    ($builder:ident $at:ident [$($done:tt)*]
     $key:ident : $($amount:ident)::+ / $unit:ident $(, $($rest:tt)*)?) => {
        $crate::__limiter!($builder $at [$($done)* [$key ratio($($amount)::+) $unit]] $($($rest)*)?)
    };
    // A call, such as `Dollars(10)`.
    ($builder:ident $at:ident [$($done:tt)*]
     $key:ident : $($amount:ident)::+ ($($argument:tt)*) / $unit:ident $(, $($rest:tt)*)?) => {
        $crate::__limiter!(
            $builder $at [$($done)* [$key ratio($($amount)::+($($argument)*)) $unit]] $($($rest)*)?
        )
    };
    ($builder:ident $at:ident [$($done:tt)*] $key:ident : $value:literal $(, $($rest:tt)*)?) => {
        $crate::__limiter!($builder $at [$($done)* [$key literal($value)]] $($($rest)*)?)
    };
    ($builder:ident $at:ident [$($done:tt)*] $key:ident : $value:expr $(, $($rest:tt)*)?) => {
        $crate::__limiter!($builder $at [$($done)* [$key value($value)]] $($($rest)*)?)
    };

    ($builder:ident $at:ident [$($done:tt)*] $key:ident : $(, $($rest:tt)*)?) => {
        $crate::__private::mistake!(at $key, "expected a value, such as `requests: 200 / minute`")
    };
    ($builder:ident $at:ident [$($done:tt)*] $key:ident = $($rest:tt)*) => {
        $crate::__private::mistake!(at $key, "expected a colon after the key: `requests: 200 / minute`")
    };
}
