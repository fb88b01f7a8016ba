//! The attribute macro of [openlimit](https://docs.rs/openlimit), which re-exports it. Depend on
//! that crate.
//!
//! Read the modules from input to output. `options` parses the attribute and `function` parses the
//! item, with the help of `arguments`, `returns` and `tail`. `check` finds mistakes that need both.
//! `expand` emits the result, with `outcome` and `stream` for what happens after the body, and
//! `snapshots` shows it. `mistake` belongs to `limiter!`.

mod arguments;
mod check;
mod expand;
mod function;
mod mistake;
mod nearest;
mod options;
mod outcome;
mod returns;
#[cfg(test)]
mod snapshots;
mod stream;
mod tail;
mod tokens;

use proc_macro::TokenStream;

// The tests of the workspace run its examples, which need openlimit.
#[cfg_attr(not(doctest), doc = include_str!("rate_limited.md"))]
#[proc_macro_attribute]
pub fn rate_limited(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(options.into(), item.into()).into()
}

/// Reports a mistake at one token. For the expansion of `limiter!` only.
#[doc(hidden)]
#[proc_macro]
pub fn __mistake(input: TokenStream) -> TokenStream {
    mistake::expand(input.into()).into()
}
