//! The keys of `limiter!`, and the messages for mistakes in them.
//!
//! Each key is a method of the builder, so rustc could resolve the keys alone. But its messages
//! would speak of methods and types: "no method named `retries` found for struct `Builder`",
//! "expected `Rate`, found integer". The list of keys allows messages about keys and units. A test
//! compares the list with the methods.

/// Calls the builder's method for one key. The key is passed twice: first to be matched here, then
/// among the rest, to name the method. As the user's own token, it makes rustc point at the key.
#[doc(hidden)]
#[macro_export]
macro_rules! __limiter_key {
    (requests, $($value:tt)*) => { $crate::__limiter_rate!($($value)*) };
    (tokens, $($value:tt)*) => { $crate::__limiter_rate!($($value)*) };
    (input_tokens, $($value:tt)*) => { $crate::__limiter_rate!($($value)*) };
    (output_tokens, $($value:tt)*) => { $crate::__limiter_rate!($($value)*) };
    (images, $($value:tt)*) => { $crate::__limiter_rate!($($value)*) };
    (spend, $($value:tt)*) => { $crate::__limiter_budget!($($value)*) };
    (limit, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (burst, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (jitter, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (headroom, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (default_output, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (model, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (input_factor, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (tokenizer, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (price, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (prices, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (admission, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (concurrency, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (counting, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (output, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (input, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (reserve, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (refunds, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (max_hold, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (max_waiting, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (overflow, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (on_wait, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (adopt_limits, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (discover, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (max_keys, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (key_name, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (limits, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (name, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (redis, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (clock, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    (config, $($value:tt)*) => { $crate::__limiter_value!($($value)*) };
    ($unknown:ident, $($value:tt)*) => {{
        // Editors complete the key here.
        #[allow(unexpected_cfgs)]
        const _: () = {
            #[cfg(rust_analyzer)]
            fn complete<K, Keys>(builder: $crate::Builder<K, Keys>) {
                builder.$unknown
            }
        };
        $crate::__private::mistake!(
            key $unknown, requests tokens input_tokens output_tokens images spend limit burst jitter
                headroom default_output model input_factor tokenizer price prices admission concurrency
                counting output input reserve refunds max_hold max_waiting overflow on_wait
                adopt_limits discover max_keys limits key_name name redis clock config
        )
    }};
}

/// Calls a method that takes a rate.
#[doc(hidden)]
#[macro_export]
macro_rules! __limiter_rate {
    ($builder:ident $at:ident $key:ident ratio($amount:expr) $unit:ident) => {
        $builder.$key($crate::__limiter_unit!($unit, $unit $amount))
    };
    ($builder:ident $at:ident $key:ident literal($value:literal)) => {
        $builder.$key($crate::__private::mistake!(at $value, "a rate needs a unit: `200 / minute`"))
    };
    ($builder:ident $at:ident $key:ident value($value:expr)) => {
        $crate::__private::at($builder, $at, ::core::stringify!($key)).$key($value)
    };
}

/// Calls a method that takes dollars per time.
#[doc(hidden)]
#[macro_export]
macro_rules! __limiter_budget {
    ($builder:ident $at:ident $key:ident ratio($amount:literal) $unit:ident) => {
        $builder.$key($crate::__private::mistake!(at $amount, "money is written as `Dollars(10) / day`"))
    };
    ($builder:ident $at:ident $key:ident literal($value:literal)) => {
        $builder.$key($crate::__private::mistake!(at $value, "a budget needs a unit: `Dollars(10) / day`"))
    };
    ($builder:ident $at:ident $key:ident ratio($amount:expr) $unit:ident) => {
        $builder.$key($amount / $crate::__limiter_unit!($unit, $unit))
    };
    ($builder:ident $at:ident $key:ident value($value:expr)) => {
        $crate::__private::at($builder, $at, ::core::stringify!($key)).$key($value)
    };
}

/// Calls a method that takes anything else.
#[doc(hidden)]
#[macro_export]
macro_rules! __limiter_value {
    // A rate here is a mistake. rustc says which type it expected.
    ($builder:ident $at:ident $key:ident ratio($amount:expr) second) => {
        $builder.$key($crate::Rate::per_second($amount))
    };
    ($builder:ident $at:ident $key:ident ratio($amount:expr) minute) => {
        $builder.$key($crate::Rate::per_minute($amount))
    };
    ($builder:ident $at:ident $key:ident ratio($amount:expr) hour) => {
        $builder.$key($crate::Rate::per_hour($amount))
    };
    ($builder:ident $at:ident $key:ident ratio($amount:expr) day) => {
        $builder.$key($crate::Rate::per_day($amount))
    };
    ($builder:ident $at:ident $key:ident ratio($amount:expr) month) => {
        $builder.$key($crate::Rate::per_month($amount))
    };
    ($builder:ident $at:ident $key:ident ratio($amount:expr) $divisor:ident) => {
        $builder.$key($amount / $divisor)
    };
    ($builder:ident $at:ident $key:ident $form:ident($value:expr)) => {
        $crate::__private::at($builder, $at, ::core::stringify!($key)).$key($value)
    };
}

/// Emits a rate, or the unit alone. The unit is passed twice, like the key above.
#[doc(hidden)]
#[macro_export]
macro_rules! __limiter_unit {
    (second, $unit:ident $amount:expr) => { $crate::__limiter_unit!(@rate $unit $amount) };
    (minute, $unit:ident $amount:expr) => { $crate::__limiter_unit!(@rate $unit $amount) };
    (hour, $unit:ident $amount:expr) => { $crate::__limiter_unit!(@rate $unit $amount) };
    (day, $unit:ident $amount:expr) => { $crate::__limiter_unit!(@rate $unit $amount) };
    (month, $unit:ident $amount:expr) => { $crate::__limiter_unit!(@rate $unit $amount) };
    (second, $unit:ident) => { $crate::Unit::$unit };
    (minute, $unit:ident) => { $crate::Unit::$unit };
    (hour, $unit:ident) => { $crate::Unit::$unit };
    (day, $unit:ident) => { $crate::Unit::$unit };
    (month, $unit:ident) => { $crate::Unit::$unit };
    // A named constant, because `cargo check` does not evaluate `const {}` blocks.
    (@rate $unit:ident $amount:expr) => {{
        const __OPENLIMIT_RATE: $crate::Rate = $crate::__private::literal_rate($amount, $crate::Unit::$unit);
        __OPENLIMIT_RATE
    }};
    ($unknown:ident, $unit:ident $($amount:expr)?) => {{
        #[allow(unexpected_cfgs)]
        const _: () = {
            #[cfg(rust_analyzer)]
            const COMPLETE: $crate::Unit = $crate::Unit::$unit;
        };
        $crate::__private::mistake!(at $unit, "the units are `second`, `minute`, `hour`, `day` and `month`")
    }};
}

/// Reports a mistake: `at TOKEN, "message"`, or `key TOKEN, KEYS`.
///
/// With the feature `macros`, a procedural macro takes its place. That one points at the token, and
/// suggests the nearest key.
#[cfg(not(feature = "macros"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __mistake {
    (at $token:tt, $message:literal) => { ::core::compile_error!($message) };
    (key $unknown:ident, $first:ident $($key:ident)*) => {
        ::core::compile_error!(::core::concat!(
            "unknown key `", ::core::stringify!($unknown), "`; the keys are `",
            ::core::stringify!($first), "`" $(, ", `", ::core::stringify!($key), "`")*
        ))
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::{fs, io};

    const THIS: &str = include_str!("keys.rs");

    /// Returns the names of the public methods that take `self` and an argument.
    fn setters(source: &str) -> impl Iterator<Item = &str> {
        source.split("pub fn ").skip(1).filter_map(|method| {
            let (name, rest) = method.split_once('(')?;
            let first = rest.split(',').next()?.trim();
            let name = name.split('<').next()?;
            (first == "self" || first == "mut self").then_some(name)
        })
    }

    /// Finds the methods of the builder, whichever files they are in.
    fn methods(folder: &Path, found: &mut BTreeSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                methods(&path, found)?;
            } else {
                let source = fs::read_to_string(&path)?;
                let is_builder = |line: &str| line.starts_with("impl<") && line.contains("> Builder<");
                if source.lines().any(is_builder) {
                    found.extend(setters(&source).map(str::to_owned));
                }
            }
        }
        Ok(())
    }

    #[test]
    fn the_keys_are_the_methods_of_the_builder() {
        let mut expected = BTreeSet::new();
        methods(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut expected).expect("the sources");

        let matched = THIS
            .lines()
            .filter_map(|line| line.strip_prefix("    (")?.split_once(", $($value:tt)*) => { $crate"));
        let matched: BTreeSet<_> = matched.map(|(key, _)| key.to_owned()).collect();
        let listed = THIS.split_once("key $unknown, ").and_then(|(_, rest)| rest.split_once(')'));
        let listed: BTreeSet<_> = listed.expect("the list").0.split_whitespace().map(str::to_owned).collect();

        assert_eq!(matched, expected, "the arms of `__limiter_key!`");
        assert_eq!(listed, expected, "the keys that a mistake lists");
    }
}
