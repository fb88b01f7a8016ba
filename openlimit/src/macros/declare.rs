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
/// # Keys
///
/// The docs of each [`Builder`](crate::Builder) method say more.
///
/// | key | value | default |
/// | --- | --- | --- |
/// | `requests`, `tokens`, `input_tokens`, `output_tokens`, `images`, `spend` | `200 / minute` (or `second`, `hour`, `day`, `month`), or an expression of type `Rate`, such as `Rate::per_day(250).resets_at("00:00", "UTC")`; repeat the key to add a limit. `spend: Dollars(10) / day` for money. On anything else: `limit: Limit::new("audio_seconds", Rate::per_hour(7_200))` | |
/// | `burst` | how much may be taken at once after idleness, as time of the rate: of `200 / minute`, 1 s is 3.3 requests. Or `Burst::Observed`, what the provider's own bucket was seen to hold | 1 s; the whole amount for rates per hour and day |
/// | `jitter` | the part of the burst that is kept back, as time, because calls sent on schedule can arrive in bunches. Calls as large as the burst are spaced by it instead (5 % at `60 / minute`) | 50 ms |
/// | `headroom` | the part of each rate that is left to others: `Percent(5)` | 0.02 % |
/// | `counting` | `Counting::InWindows` admits at most the amount in any window of one period, and spreads calls over it | `Refilling` |
/// | `concurrency` | how many calls may be in flight at a time: `64`, or `Concurrency::Adaptive(1..=64)`. A call is in flight until its permit is gone, or the stream that it moved into | any number |
/// | `reserve` | a part of every rate for calls of a priority and above: `(Priority::High, Percent(20))`. Others take at most the rest | none |
/// | `output` | what a call reserves for its output: `Output::Named`, the maximum that it names, or `Output::Learned`, about the mean of earlier calls of the same function | `Named` |
/// | `default_output` | the output to reserve for a request that names no maximum; with Anthropic and Gemini, for each one | 16; 500 |
/// | `model` | the model of requests that name none | a new one |
/// | `input`, `input_factor`, `tokenizer`, `admission`, `refunds` | how prompts are counted, how a request takes from `tokens`, and if it gives back what it did not use | |
/// | `price`, `prices` | what a request costs in dollars, for `spend`: a function of model and usage, or a file. A model without a price is an error | |
/// | `max_hold` | the longest hold; if a provider asks for more, calls fail with `Exhausted` | 10 minutes |
/// | `max_waiting`, `overflow` | how many calls may wait, and which one is refused when more would: `Overflow::RejectNew`, `DropOldest` or `DropLowest` | any number; `RejectNew` |
/// | `on_wait` | what to call when a call begins to wait for longer than a second: `\|waiting\| eprintln!("{waiting}")` | |
/// | `adopt_limits` | `true` also follows a limit above the declared one | `false` |
/// | `discover` | `true` needs no limits: it starts at 30 requests and 6 000 tokens a minute, and adopts what responses state, or finds it by trying | `false` |
/// | `config` | a `&LimiterConfig`: the keys whose values are not code, as data, such as `requests = ["500 / minute", "10_000 / day"]` or `burst = "500 ms"` (feature `serde`) | |
/// | `max_keys`, `limits` | of a `Keyed`: the most keys that are known at a time, and a function that returns the limits of a key | 100 000; the declared ones |
/// | `key_name` | of a `Keyed` over Redis: a function that returns the text by which all processes know a key | |
/// | `redis`, `name` | a URL or a `Redis` (feature `redis`), and the name that identifies the limits | in memory |
///
/// # Values
///
/// A rate is `amount / unit`, where the amount is a number or a constant, and the unit is `second`,
/// `minute`, `hour`, `day` or `month`. Such a rate is checked at compile time. A rate of zero does
/// not compile. Money is `Dollars(10) / unit`.
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
/// A value that uses its own limiter is such an error, too. A value must not wait for another
/// thread that uses the limiter: that thread waits for the value.
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
