//! The attribute macro of openlimit.

use proc_macro::TokenStream;

/// stub
#[proc_macro_attribute]
pub fn rate_limited(_options: TokenStream, item: TokenStream) -> TokenStream {
    item
}
