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
/// Every key is a method of the [`Builder`](crate::Builder), and a key that is given again adds a limit. A value
/// is a rate, `N / second`, `/ minute`, `/ hour` or `/ day`, where `N` is a number or the name of a constant, or any
/// expression. Such a rate is checked at compile time: zero does not compile. An expression may end in `?`; its
/// error is kept, and every acquire returns it as [`AcquireError::Build`](crate::AcquireError::Build), which names
/// the limiter and the key:
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
/// The static's type is the declared type. It is built at first use; [`init`](crate::Limiter::init) builds
/// it earlier, say at the start of `main`, and returns what is wrong with it. Its name, for errors, is its path
/// (`my_crate::limits::CHEAP`), unless `name: ".."` says otherwise. Several statics may be declared at once, with
/// attributes and any visibility.
#[macro_export]
macro_rules! limiter {
    ($(
        $(#[$attr:meta])*
        $vis:vis static $name:ident : $type:ty = { $($body:tt)* }
    );+ $(;)?) => {$(
        $(#[$attr])*
        $vis static $name: $type = $crate::__private::declare::<$type, _>(
            ::core::concat!(::core::module_path!(), "::", ::core::stringify!($name)),
            // Not just `builder`: a pattern may mean a static or a constant, and the user may have one.
            |__openlimit_builder, __openlimit_key| {
                $crate::__limiter!(@keys __openlimit_key __openlimit_builder, $($body)*)
            },
        );
    )+};
}

/// The keys of one limiter, one at a time, into calls of its builder.
#[doc(hidden)]
#[macro_export]
macro_rules! __limiter {
    (@keys $at:ident $builder:expr, ) => {
        ::core::compile_error!("a limiter needs at least one limit, such as `requests: 200 / minute`")
    };
    (@keys $at:ident $builder:expr, $($key:tt)+) => { $crate::__limiter!(@more $at $builder, $($key)+) };

    (@more $at:ident $builder:expr, ) => { ::core::result::Result::Ok($builder) };
    (@more $at:ident $builder:expr, $key:ident : $amount:literal / $unit:ident $(, $($rest:tt)*)?) => {
        $crate::__limiter!(@more $at $builder.$key($crate::__limiter!(@rate $amount, $unit)), $($($rest)*)?)
    };
    // A constant in place of a number. By unit, so that other divisions stay what they are.
    (@more $at:ident $builder:expr, $key:ident : $amount:ident / second $(, $($rest:tt)*)?) => {
        $crate::__limiter!(@more $at $builder.$key($crate::__limiter!(@rate $amount, second)), $($($rest)*)?)
    };
    (@more $at:ident $builder:expr, $key:ident : $amount:ident / minute $(, $($rest:tt)*)?) => {
        $crate::__limiter!(@more $at $builder.$key($crate::__limiter!(@rate $amount, minute)), $($($rest)*)?)
    };
    (@more $at:ident $builder:expr, $key:ident : $amount:ident / hour $(, $($rest:tt)*)?) => {
        $crate::__limiter!(@more $at $builder.$key($crate::__limiter!(@rate $amount, hour)), $($($rest)*)?)
    };
    (@more $at:ident $builder:expr, $key:ident : $amount:ident / day $(, $($rest:tt)*)?) => {
        $crate::__limiter!(@more $at $builder.$key($crate::__limiter!(@rate $amount, day)), $($($rest)*)?)
    };
    (@more $at:ident $builder:expr, $key:ident : $value:expr $(, $($rest:tt)*)?) => {
        $crate::__limiter!(
            @more $at $crate::__private::at($builder, $at, ::core::stringify!($key)).$key($value), $($($rest)*)?
        )
    };

    // A constant of its own, so that `cargo check` and the editor evaluate it, by a name that is nobody's amount.
    (@rate $amount:expr, $unit:ident) => {{
        const __OPENLIMIT_RATE: $crate::Rate =
            $crate::__private::literal_rate($amount, $crate::Unit::$unit);
        __OPENLIMIT_RATE
    }};
}
