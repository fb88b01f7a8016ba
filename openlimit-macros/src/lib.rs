//! The attribute macro of openlimit.

mod expand;
mod function;
mod options;
mod returns;
#[cfg(test)]
mod snapshots;

use proc_macro::TokenStream;

/// stub
#[proc_macro_attribute]
pub fn rate_limited(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(options.into(), item.into()).into()
}
